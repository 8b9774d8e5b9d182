SELECT category AS name, sum(posts)::bigint AS posts
FROM category_trends
WHERE window_start >= %(since)s
GROUP BY category
ORDER BY posts DESC, name
LIMIT 10
