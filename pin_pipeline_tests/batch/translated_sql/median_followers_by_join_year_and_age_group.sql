SELECT
  YEAR(CAST("date_joined" AS DATE)) AS "join_year",
  AGE_GROUP("age") AS "age_group",
  MEDIAN("follower_count") AS "median_follower_count"
FROM "pin"
JOIN "user"
  USING ("ind")
WHERE
  NOT "follower_count" IS NULL
  AND YEAR(CAST("date_joined" AS DATE)) BETWEEN 2015 AND 2020
  AND NOT AGE_GROUP("age") IS NULL
GROUP BY ALL
ORDER BY
  "join_year" NULLS FIRST,
  "age_group" NULLS FIRST
