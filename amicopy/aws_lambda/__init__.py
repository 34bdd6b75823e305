"""amicopy as AWS Lambda functions: `handler` makes one pass over a manifest; `dispatcher` and `worker` share it out.

A function's handler setting is ``amicopy.aws_lambda.handler``.
"""

from amicopy.aws_lambda.functions import dispatcher, handler, worker

__all__ = ["dispatcher", "handler", "worker"]
