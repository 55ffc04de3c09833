"""``penchant demo``, a file a concern: the sample, the scheduler, the API's answers, the report."""
