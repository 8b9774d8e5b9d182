variable "region" {
  description = "Where everything runs; the Databricks workspace too."
  type        = string
  default     = "us-east-1"
}

variable "prefix" {
  description = "What the names begin with, as PIN_PREFIX: topics {prefix}.pin, streams streaming-{prefix}-pin, and so on."
  type        = string
  default     = "pinterest"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,19}$", var.prefix))
    error_message = "The prefix begins with a lower-case letter and has at most 20 of a-z and 0-9."
  }
}

variable "bucket" {
  description = "Bucket of the landed objects and the Delta tables, PIN_BUCKET. Names of buckets are unique in the world."
  type        = string
}

variable "image" {
  description = "Image of the project, by digest, for the gateway and Dagster: {account}.dkr.ecr.{region}.amazonaws.com/{prefix}@sha256:...; empty before there is one."
  type        = string
  default     = ""

  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest, so that what runs is what was tested."
  }
}

variable "connector_plugin" {
  description = "Key in the bucket of the S3 sink connector's zip, uploaded beforehand: see docs/aws.md."
  type        = string
  default     = "plugins/s3-sink.zip"
}

variable "wheel" {
  description = "Key in the bucket of the project's wheel, which Databricks installs, uploaded beforehand: see docs/aws.md."
  type        = string
  default     = "wheels/pin_pipeline-0.1.0-py3-none-any.whl"
}

variable "cidr" {
  description = "Addresses of the network; a /16 leaves Databricks room for its nodes."
  type        = string
  default     = "10.40.0.0/16"
}

variable "brokers" {
  description = "MSK brokers, one a zone and a replica each; 3 for production, 2 is the least that MSK takes."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.brokers)
    error_message = "Two or three: as many zones are used."
  }
}

variable "broker_type" {
  description = "Size of an MSK broker."
  type        = string
  default     = "kafka.t3.small"
}

variable "shards" {
  description = "Shards of each Kinesis stream: 1 MiB or 1,000 records a second each."
  type        = number
  default     = 1
}

variable "requests_per_second" {
  description = "What API Gateway lets through, in all; beyond it answers 429."
  type        = number
  default     = 500
}

variable "databricks_account" {
  description = "Id of your Databricks account: the external id by which its control plane assumes the cross-account role."
  type        = string
}

variable "databricks_aws_account" {
  description = "AWS account of Databricks' control plane, as its documentation names it."
  type        = string
  default     = "414351767826"
}

variable "databricks_host" {
  description = "Address of the workspace, https://....cloud.databricks.com; empty before it exists."
  type        = string
  default     = ""
}

variable "deletable" {
  description = "Whether `terraform destroy` may delete what cannot be made again: objects, tables and databases."
  type        = bool
  default     = false
}
