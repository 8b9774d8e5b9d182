WITH "posters" AS (
  SELECT DISTINCT
    "country",
    "poster_name",
    "follower_count"
  FROM "pin"
  JOIN "geo"
    USING ("ind")
  WHERE
    NOT "country" IS NULL AND NOT "follower_count" IS NULL
)
SELECT
  "country",
  "poster_name",
  "follower_count"
FROM "posters"
QUALIFY
  "follower_count" = MAX("follower_count") OVER (PARTITION BY "country")
ORDER BY
  "country" NULLS FIRST,
  "poster_name" NULLS FIRST
