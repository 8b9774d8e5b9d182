# Names alone: whoever sets the system up puts the values in (docs/aws.md), so that no plan and no state holds one.
locals {
  secrets = {
    databricks-client-id     = "Client id of the service principal that Dagster is in Databricks."
    databricks-client-secret = "OAuth secret of that service principal."
    gateway-api-keys         = "Keys that the gateway takes, KEY,KEY; callers send one as x-api-key."
    postgres-url             = "URL of the real-time tables: postgresql://USER:PASSWORD@HOST/pinterest_streaming?sslmode=require."
    dagster-postgres-url     = "URL of Dagster's own state, a database of the same server."
  }
}

resource "aws_secretsmanager_secret" "of" {
  for_each                = local.secrets
  name                    = "${var.prefix}/${each.key}"
  description             = each.value
  recovery_window_in_days = var.deletable ? 0 : 7
}
