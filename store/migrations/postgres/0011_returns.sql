-- Where an answer sends an execution back to: the key of a node.
ALTER TABLE "workflowTasks" ADD COLUMN "returnTo" text COLLATE "C";
-- The job whose node begins anew because of this one; what was done from there to here is history.
ALTER TABLE "jobs" ADD COLUMN "returnsTo" bigint;
