"""Azure OpenAI and Azure AI Foundry: OpenAI's API in Azure's own way."""
