-- Lag of the posts that were written in the last minute, and the time of the newest one.
SELECT
    count(*) FILTER (WHERE posted_at >= %(now)s - interval '1 minute') AS posted_in_last_minute,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM written_at - posted_at)) AS median_seconds,
    max(extract(epoch FROM written_at - posted_at))::float AS worst_seconds,
    (SELECT max(written_at) FROM experimental_data) AS newest
FROM experimental_data
WHERE written_at >= %(now)s - interval '1 minute'
