SELECT
  YEAR(CAST("date_joined" AS DATE)) AS "join_year",
  COUNT(DISTINCT {'user_name': "user_name", 'age': "age", 'date_joined': "date_joined"}) AS "number_users_joined",
  COUNT(*) AS "number_user_records"
FROM "user"
WHERE
  YEAR(CAST("date_joined" AS DATE)) BETWEEN 2015 AND 2020
GROUP BY
  "join_year"
ORDER BY
  "join_year" NULLS FIRST
