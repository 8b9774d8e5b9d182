SELECT
  YEAR(CAST("date_joined" AS DATE)) AS "join_year",
  MEDIAN("follower_count") AS "median_follower_count"
FROM "pin"
JOIN "user"
  USING ("ind")
WHERE
  NOT "follower_count" IS NULL
  AND YEAR(CAST("date_joined" AS DATE)) BETWEEN 2015 AND 2020
GROUP BY
  "join_year"
ORDER BY
  "join_year" NULLS FIRST
