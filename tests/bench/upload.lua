-- A body of 1 MB with each request.
wrk.method = "POST"
wrk.body = string.rep("x", 1048576)
