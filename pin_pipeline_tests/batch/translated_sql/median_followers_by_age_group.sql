SELECT
  AGE_GROUP("age") AS "age_group",
  MEDIAN("follower_count") AS "median_follower_count"
FROM "pin"
JOIN "user"
  USING ("ind")
WHERE
  NOT "follower_count" IS NULL AND NOT AGE_GROUP("age") IS NULL
GROUP BY ALL
ORDER BY
  "age_group" NULLS FIRST
