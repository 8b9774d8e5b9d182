-- Posts in each bucket, the first is 0. Nothing is written before it is posted, so the index by `written_at` finds them.
SELECT floor(extract(epoch FROM posted_at - %(since)s) / %(bucket_seconds)s)::integer AS bucket, count(*) AS posts
FROM experimental_data
WHERE written_at >= %(since)s AND posted_at >= %(since)s AND posted_at <= %(now)s
GROUP BY bucket
