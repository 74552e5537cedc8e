-- name: AddTask :one
INSERT INTO tasks (title) VALUES ($1) RETURNING *;

-- name: ListTasks :many
SELECT * FROM tasks WHERE id > @after ORDER BY id LIMIT @most;

-- name: FinishTask :one
UPDATE tasks SET done = true WHERE id = $1 RETURNING *;

-- name: KeepChange :exec
INSERT INTO changes (task, what) VALUES ($1, $2);

-- name: ListChanges :many
SELECT what FROM changes WHERE task = $1 ORDER BY at, what;
