resource "aws_kinesis_stream" "of" {
  for_each         = toset(local.record_types)
  name             = "streaming-${var.prefix}-${each.key}"
  shard_count      = var.shards
  retention_period = 168
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"
}
