output "api" {
  description = "URL of the API; requests are signed for execute-api."
  value       = aws_api_gateway_stage.main.invoke_url
}

output "repository" {
  description = "ECR repository of the project's image."
  value       = aws_ecr_repository.main.repository_url
}

output "network" {
  description = "Values that Databricks requires to create a workspace in this network."
  value = {
    vpc              = aws_vpc.main.id
    subnets          = local.private_subnets
    security_group   = aws_security_group.of["databricks"].id
    role             = aws_iam_role.databricks.arn
    instance_profile = aws_iam_instance_profile.databricks.arn
  }
}

output "databases" {
  description = "Endpoint of each database, and the secret with its password."
  value = {
    for name, database in aws_db_instance.of : name => {
      endpoint = database.endpoint
      secret   = database.master_user_secret[0].secret_arn
    }
  }
}

output "cluster" {
  description = "ARN of the MSK cluster, the value of PIN_MSK_CLUSTER_ARN."
  value       = aws_msk_cluster.main.arn
}
