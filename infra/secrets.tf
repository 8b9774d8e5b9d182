# Only the secrets, without values: those are set by hand (docs/aws/README.md), so that neither a plan nor the state contains them.
locals {
  secrets = {
    databricks-client-id     = "Client id of the service principal with which Dagster logs in to Databricks."
    databricks-client-secret = "OAuth secret of the service principal."
    gateway-api-keys         = "API keys that the gateway accepts, KEY,KEY; callers send one as x-api-key."
    postgres-url             = "URL of the real-time tables: postgresql://USER:PASSWORD@HOST/pinterest_streaming?sslmode=require."
    dagster-postgres-url     = "URL of the database with the state of Dagster, on the same server."
  }
}

resource "aws_secretsmanager_secret" "of" {
  for_each                = local.secrets
  name                    = "${var.prefix}/${each.key}"
  description             = each.value
  recovery_window_in_days = var.deletable ? 0 : 7
}
