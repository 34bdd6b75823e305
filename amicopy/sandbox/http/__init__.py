"""The sandbox as an HTTP endpoint: the query protocol, IAM policies, and moto for the other services."""
