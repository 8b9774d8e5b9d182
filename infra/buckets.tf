# The lake bucket, and the bucket for messages of Dagster Pipes, which are needed only during a run.
locals {
  buckets = {
    lake     = var.bucket
    messages = "${var.bucket}-messages"
  }
}

resource "aws_s3_bucket" "of" {
  for_each      = local.buckets
  bucket        = each.value
  force_destroy = var.deletable
}

resource "aws_s3_bucket_versioning" "of" {
  for_each = aws_s3_bucket.of
  bucket   = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "of" {
  for_each = aws_s3_bucket.of
  bucket   = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "of" {
  for_each                = aws_s3_bucket.of
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "of" {
  for_each = aws_s3_bucket.of
  bucket   = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "tls_only" {
  for_each = aws_s3_bucket.of

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "tls_only" {
  for_each   = aws_s3_bucket.of
  bucket     = each.value.id
  policy     = data.aws_iam_policy_document.tls_only[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.of]
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket     = aws_s3_bucket.of["lake"].id
  depends_on = [aws_s3_bucket_versioning.of]

  # Landed objects are read on the day they arrive, and again by a rebuild: never deleted, but moved to cheaper storage.
  rule {
    id     = "raw"
    status = "Enabled"

    filter {
      prefix = "topics/"
    }

    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }

    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }
  }

  # Batch steps and streams vacuum replaced files a week after the commit; a deleted file can be restored for another one.
  rule {
    id     = "replaced"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    # No role may abort an upload: this removes the parts that a killed process has uploaded.
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "messages" {
  bucket     = aws_s3_bucket.of["messages"].id
  depends_on = [aws_s3_bucket_versioning.of]

  rule {
    id     = "messages"
    status = "Enabled"

    filter {}

    expiration {
      days = 1
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
