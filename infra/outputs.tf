output "api" {
  description = "Where posts go: sign requests for execute-api."
  value       = aws_api_gateway_stage.main.invoke_url
}

output "repository" {
  description = "Where the project's image is pushed."
  value       = aws_ecr_repository.main.repository_url
}

output "network" {
  description = "What Databricks asks for when a workspace is made in this network."
  value = {
    vpc              = aws_vpc.main.id
    subnets          = local.private_subnets
    security_group   = aws_security_group.of["databricks"].id
    role             = aws_iam_role.databricks.arn
    instance_profile = aws_iam_instance_profile.databricks.arn
  }
}

output "databases" {
  description = "Endpoint of each database, and the secret of its password."
  value = {
    for name, database in aws_db_instance.of : name => {
      endpoint = database.endpoint
      secret   = database.master_user_secret[0].secret_arn
    }
  }
}

output "cluster" {
  description = "The MSK cluster, PIN_MSK_CLUSTER_ARN."
  value       = aws_msk_cluster.main.arn
}
