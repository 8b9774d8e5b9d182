WITH "counted" AS (
  SELECT
    "country",
    "category",
    COUNT(*) AS "category_count"
  FROM "pin"
  JOIN "geo"
    USING ("ind")
  WHERE
    NOT "country" IS NULL AND NOT "category" IS NULL
  GROUP BY
    "country",
    "category"
)
SELECT
  "country",
  "category",
  "category_count"
FROM "counted"
QUALIFY
  "category_count" = MAX("category_count") OVER (PARTITION BY "country")
ORDER BY
  "country" NULLS FIRST,
  "category" NULLS FIRST
