-- Number of pins per category: those of the daily batch, and those that arrived after its last run.
CREATE OR REPLACE VIEW popular_categories AS
WITH batch_ends AS (
    SELECT source_topic, source_partition, max(source_offset) AS source_offset
    FROM batch_pins
    GROUP BY source_topic, source_partition
),
records AS (
    SELECT ind, category, source_partition, source_offset, FALSE AS since_batch
    FROM batch_pins
    UNION ALL
    -- The batch has processed every record up to its last pin of a partition, rejected and superseded ones too.
    SELECT stream.ind, stream.category, stream.source_partition, stream.source_offset, TRUE
    FROM experimental_data AS stream
    LEFT JOIN batch_ends AS ends USING (source_topic, source_partition)
    WHERE stream.source_offset > coalesce(ends.source_offset, -1)
),
-- The latest record of a pin replaces earlier ones, by the same rule as in the batch.
pins AS (
    SELECT DISTINCT ON (ind) ind, category, since_batch
    FROM records
    ORDER BY ind, source_offset DESC, source_partition DESC
)
SELECT
    category,
    count(*) AS pins,
    count(*) FILTER (WHERE NOT since_batch) AS of_batch,
    count(*) FILTER (WHERE since_batch) AS since_batch
FROM pins
WHERE category IS NOT NULL
GROUP BY category
