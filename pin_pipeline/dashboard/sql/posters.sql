-- The windows do not overlap, so their posts add up. Followers are from the latest window that has their number.
SELECT
    poster_name AS name,
    sum(posts)::bigint AS posts,
    (array_agg(followers ORDER BY window_start DESC) FILTER (WHERE followers IS NOT NULL))[1] AS followers
FROM profile_popularity
WHERE window_start = ANY(%(windows)s)
GROUP BY poster_name
ORDER BY posts DESC, name
LIMIT 10
