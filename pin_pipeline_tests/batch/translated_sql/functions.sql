/* Age groups of all queries: 50 belongs to 36-50, and ages under 18 to no group. */
CREATE OR REPLACE TEMPORARY FUNCTION "age_group"(
    age INT
) AS
CASE
  WHEN "age" BETWEEN 18 AND 24
  THEN '18-24'
  WHEN "age" BETWEEN 25 AND 35
  THEN '25-35'
  WHEN "age" BETWEEN 36 AND 50
  THEN '36-50'
  WHEN "age" > 50
  THEN '50+'
END
