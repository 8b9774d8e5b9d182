# MSK Connect lands the topics, in the layout that cleaning reads: topics/{topic}/partition={n}/{topic}+{n}+{offset}.json.
resource "aws_mskconnect_custom_plugin" "s3_sink" {
  name         = "${var.prefix}-s3-sink"
  content_type = "ZIP"

  location {
    s3 {
      bucket_arn = aws_s3_bucket.of["lake"].arn
      file_key   = var.connector_plugin
    }
  }
}

resource "aws_cloudwatch_log_group" "landing" {
  name              = "/${var.prefix}/landing"
  retention_in_days = 14
}

resource "aws_mskconnect_connector" "landing" {
  name                       = local.connector
  kafkaconnect_version       = "3.7.x"
  service_execution_role_arn = aws_iam_role.of["landing_connector"].arn
  depends_on                 = [aws_iam_role_policy.of]

  capacity {
    autoscaling {
      mcu_count        = 1
      min_worker_count = 1
      max_worker_count = 3

      scale_in_policy {
        cpu_utilization_percentage = 20
      }

      scale_out_policy {
        cpu_utilization_percentage = 80
      }
    }
  }

  connector_configuration = {
    "connector.class"                   = "io.confluent.connect.s3.S3SinkConnector"
    "tasks.max"                         = "3"
    "topics"                            = join(",", [for kind in local.kinds : "${var.prefix}.${kind}"])
    "s3.bucket.name"                    = var.bucket
    "s3.region"                         = var.region
    "topics.dir"                        = "topics"
    "storage.class"                     = "io.confluent.connect.s3.storage.S3Storage"
    "partitioner.class"                 = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
    "format.class"                      = "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"
    "format.bytearray.extension"        = ".json"
    "key.converter"                     = "org.apache.kafka.connect.converters.ByteArrayConverter"
    "value.converter"                   = "org.apache.kafka.connect.converters.ByteArrayConverter"
    "consumer.override.isolation.level" = "read_committed"
    "flush.size"                        = "20000"
    "rotate.schedule.interval.ms"       = "60000"
    "enable.conditional.writes"         = "false"
    "timezone"                          = "UTC"
    "filename.offset.zero.pad.width"    = "10"
    "errors.tolerance"                  = "none"
    "behavior.on.null.values"           = "fail"
  }

  kafka_cluster {
    apache_kafka_cluster {
      bootstrap_servers = aws_msk_cluster.main.bootstrap_brokers_sasl_iam

      vpc {
        security_groups = [aws_security_group.of["connector"].id]
        subnets         = local.private_subnets
      }
    }
  }

  kafka_cluster_client_authentication {
    authentication_type = "IAM"
  }

  kafka_cluster_encryption_in_transit {
    encryption_type = "TLS"
  }

  plugin {
    custom_plugin {
      arn      = aws_mskconnect_custom_plugin.s3_sink.arn
      revision = aws_mskconnect_custom_plugin.s3_sink.latest_revision
    }
  }

  log_delivery {
    worker_log_delivery {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.landing.name
      }
    }
  }
}
