# MSK Connect lands the topics in the layout that cleaning reads: topics/{topic}/partition={n}/{topic}+{n}+{offset}.json.
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

  # The settings under which the objects are what landing verifies; the tests run a worker of Kafka Connect with the same
  # file. Bytes are written unchanged, one line per record, and only committed records. An object ends after 20,000
  # records, and every minute, so that the end of a topic is reached. After a crash the connector overwrites the same
  # objects (no conditional writes) instead of landing their records again in others. A tombstone makes it fail: if
  # ignored, it would be the one record that is neither published nor in quarantine.
  connector_configuration = merge(jsondecode(file("${path.module}/s3_sink.json")), {
    "topics"         = join(",", [for record_type in local.record_types : "${var.prefix}.${record_type}"])
    "s3.bucket.name" = var.bucket
    "s3.region"      = var.region
  })

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
