WITH "countries" AS (
  SELECT
    "country",
    MAX("follower_count") AS "follower_count"
  FROM "pin"
  JOIN "geo"
    USING ("ind")
  WHERE
    NOT "country" IS NULL
  GROUP BY
    "country"
)
SELECT
  "country",
  "follower_count"
FROM "countries"
QUALIFY
  "follower_count" = MAX("follower_count") OVER ()
ORDER BY
  "country" NULLS FIRST
