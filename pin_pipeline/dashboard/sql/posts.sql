-- Posts per bucket, from bucket 0. Posts are written after they are posted, so the index on `written_at` applies.
SELECT floor(extract(epoch FROM posted_at - %(since)s) / %(bucket_seconds)s)::integer AS bucket, count(*) AS posts
FROM experimental_data
WHERE written_at >= %(since)s AND posted_at >= %(since)s AND posted_at <= %(now)s
GROUP BY bucket
