"""The Lambda functions, by the names under which `iam-policy` knows them."""

HANDLER, DISPATCHER, WORKER = "lambda", "lambda-dispatcher", "lambda-worker"
FUNCTIONS = (HANDLER, DISPATCHER, WORKER)
