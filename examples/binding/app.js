// An application for the binding javascript.c: handle() gets the environ of CGI, and
// returns what is sent.
var served = 0;

function handle(request) {
	served++;
	log(request.REQUEST_METHOD + " " + request.PATH_INFO);
	if (request.PATH_INFO === "/fail")
		throw new Error("as was asked for");
	var lines = ["Hello from JavaScript", "path " + request.PATH_INFO, "request " + served];
	if (request.body)
		lines.push("sent " + request.body);
	return {
		status: "200 OK",
		headers: { "Content-Type": "text/plain; charset=utf-8", "X-Engine": "Duktape" },
		body: lines.join("\n") + "\n"
	};
}
