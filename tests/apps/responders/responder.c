/* A FastCGI responder on libfcgi: says who it is, what was asked and what was sent. */
#include <fcgiapp.h>
#include <stdlib.h>
#include <unistd.h>

int
main(void)
{
	static FCGX_Request request;
	char piece[4096];
	int n;

	FCGX_Init();
	FCGX_InitRequest(&request, 0, 0);
	while (FCGX_Accept_r(&request) >= 0) {
		const char *query = FCGX_GetParam("QUERY_STRING", request.envp);
		const char *method = FCGX_GetParam("REQUEST_METHOD", request.envp);

		FCGX_FPrintF(request.out,
			"Content-Type: text/plain\r\nX-Pid: %d\r\nX-Keep: %d\r\n"
			"\r\n%s %s ",
			getpid(), request.keepConnection, method,
			query != NULL ? query : "");
		while ((n = FCGX_GetStr(piece, sizeof(piece), request.in)) > 0)
			FCGX_PutStr(piece, n, request.out);
		FCGX_FPrintF(request.err, "c was asked\n");
		FCGX_Finish_r(&request);
	}
	return 0;
}
