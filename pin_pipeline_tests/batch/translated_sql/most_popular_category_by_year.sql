WITH "counted" AS (
  SELECT
    YEAR(CAST("timestamp" AS DATE)) AS "post_year",
    "category",
    COUNT(*) AS "category_count"
  FROM "pin"
  JOIN "geo"
    USING ("ind")
  WHERE
    NOT "category" IS NULL AND YEAR(CAST("timestamp" AS DATE)) BETWEEN 2018 AND 2022
  GROUP BY
    "post_year",
    "category"
)
SELECT
  "post_year",
  "category",
  "category_count"
FROM "counted"
QUALIFY
  "category_count" = MAX("category_count") OVER (PARTITION BY "post_year")
ORDER BY
  "post_year" NULLS FIRST,
  "category" NULLS FIRST
