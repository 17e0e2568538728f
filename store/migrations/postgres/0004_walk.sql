-- The job that waits for an execution, if it was started by one.
ALTER TABLE "executions" ADD COLUMN "parentJobId" bigint;
