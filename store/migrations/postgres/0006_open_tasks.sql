-- Counting the open tasks takes as long as there are some, not as long as there were.
CREATE INDEX "workflowTasks.open" ON "workflowTasks" ("status") WHERE "status" = 0;
