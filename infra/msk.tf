# Provisioned, not serverless: two small brokers cost an eighth of an idle serverless cluster (docs/aws/README.md), and MSK Connect
# reads both. Serverless pays off if the load is unknown or comes in bursts.
resource "aws_msk_configuration" "main" {
  name           = var.prefix
  kafka_versions = ["3.9.x"]

  server_properties = <<-PROPERTIES
    auto.create.topics.enable=false
    default.replication.factor=${var.brokers}
    min.insync.replicas=${var.brokers - 1}
    num.partitions=3
  PROPERTIES
}

resource "aws_msk_cluster" "main" {
  cluster_name           = var.prefix
  kafka_version          = "3.9.x"
  number_of_broker_nodes = var.brokers

  broker_node_group_info {
    instance_type   = var.broker_type
    client_subnets  = local.private_subnets
    security_groups = [aws_security_group.of["brokers"].id]

    storage_info {
      ebs_storage_info {
        volume_size = 100
      }
    }
  }

  client_authentication {
    unauthenticated = false

    sasl {
      iam = true
    }
  }

  encryption_info {
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.main.arn
    revision = aws_msk_configuration.main.latest_revision
  }
}
