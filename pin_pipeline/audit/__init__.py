"""An auditor that shares no code with what it audits: it reads broker, objects and tables itself, without Spark."""
