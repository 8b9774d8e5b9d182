variable "region" {
  description = "Region of all resources, including the Databricks workspace."
  type        = string
  default     = "us-east-1"
}

variable "prefix" {
  description = "Prefix of names, the value of PIN_PREFIX: topics {prefix}.pin, streams streaming-{prefix}-pin, and so on."
  type        = string
  default     = "pinterest"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,19}$", var.prefix))
    error_message = "Invalid prefix: expected a lower-case letter followed by 1 to 19 characters of a-z and 0-9."
  }
}

variable "bucket" {
  description = "Bucket of the landed objects and the Delta tables, the value of PIN_BUCKET. Bucket names are globally unique."
  type        = string
}

variable "image" {
  description = "Image of the project, by digest, for the gateway and Dagster: {account}.dkr.ecr.{region}.amazonaws.com/{prefix}@sha256:...; empty until it is pushed."
  type        = string
  default     = ""

  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Invalid image: expected a reference by digest (@sha256:...), so that the tested image is the one that runs."
  }
}

variable "connector_plugin" {
  description = "Key of the zip of the S3 sink connector in the bucket, uploaded beforehand: see docs/aws/README.md."
  type        = string
  default     = "plugins/s3-sink.zip"
}

variable "wheel" {
  description = "Key of the project's wheel in the bucket, which Databricks installs, uploaded beforehand: see docs/aws/README.md."
  type        = string
  default     = "wheels/pin_pipeline-0.1.0-py3-none-any.whl"
}

variable "cidr" {
  description = "Address range of the network; a /16 has room for the nodes of Databricks."
  type        = string
  default     = "10.40.0.0/16"
}

variable "brokers" {
  description = "Number of MSK brokers: one per zone, with one replica each. Use 3 in production; 2 is the minimum of MSK."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.brokers)
    error_message = "Invalid number of brokers: expected 2 or 3; as many availability zones are used."
  }
}

variable "broker_type" {
  description = "Instance type of an MSK broker."
  type        = string
  default     = "kafka.t3.small"
}

variable "shards" {
  description = "Number of shards of each Kinesis stream; a shard accepts 1 MiB or 1,000 records per second."
  type        = number
  default     = 1
}

variable "requests_per_second" {
  description = "Total rate limit of API Gateway; requests beyond it receive status 429."
  type        = number
  default     = 500
}

variable "databricks_account" {
  description = "Id of your Databricks account: the external id with which its control plane assumes the cross-account role."
  type        = string
}

variable "databricks_aws_account" {
  description = "AWS account of the Databricks control plane, from its documentation."
  type        = string
  default     = "414351767826"
}

variable "databricks_host" {
  description = "URL of the workspace, https://....cloud.databricks.com; empty until it exists."
  type        = string
  default     = ""
}

variable "deletable" {
  description = "Whether `terraform destroy` may delete data that cannot be restored: objects, tables and databases."
  type        = bool
  default     = false
}
