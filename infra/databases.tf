# RDS generates the passwords, stores them in Secrets Manager and rotates them every week: the state contains none.
locals {
  databases = {
    source   = { engine = "mysql", version = "8.4", name = "pinterest_data" }
    realtime = { engine = "postgres", version = "17", name = "pinterest_streaming" }
  }
}

resource "aws_db_subnet_group" "main" {
  name       = var.prefix
  subnet_ids = local.private_subnets
}

resource "aws_db_instance" "of" {
  for_each                    = local.databases
  identifier                  = "${var.prefix}-${each.key}"
  engine                      = each.value.engine
  engine_version              = each.value.version
  instance_class              = "db.t4g.micro"
  allocated_storage           = 20
  max_allocated_storage       = 100
  storage_type                = "gp3"
  storage_encrypted           = true
  db_name                     = each.value.name
  username                    = "pin"
  manage_master_user_password = true
  db_subnet_group_name        = aws_db_subnet_group.main.name
  vpc_security_group_ids      = [aws_security_group.of[each.key].id]
  publicly_accessible         = false
  backup_retention_period     = 7
  deletion_protection         = !var.deletable
  skip_final_snapshot         = var.deletable
  final_snapshot_identifier   = var.deletable ? null : "${var.prefix}-${each.key}-last"
  auto_minor_version_upgrade  = true
}
