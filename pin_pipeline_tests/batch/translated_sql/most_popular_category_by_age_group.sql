WITH "counted" AS (
  SELECT
    AGE_GROUP("age") AS "age_group",
    "category",
    COUNT(*) AS "category_count"
  FROM "pin"
  JOIN "user"
    USING ("ind")
  WHERE
    NOT "category" IS NULL
  GROUP BY ALL
)
SELECT
  "age_group",
  "category",
  "category_count"
FROM "counted"
WHERE
  NOT "age_group" IS NULL
QUALIFY
  "category_count" = MAX("category_count") OVER (PARTITION BY "age_group")
ORDER BY
  "age_group" NULLS FIRST,
  "category" NULLS FIRST
