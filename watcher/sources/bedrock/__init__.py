"""AWS Bedrock: jobs of model customization, asked for with an API key of Bedrock."""
