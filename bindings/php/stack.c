#include "bindings/php/stack.h"

#include <php.h>
#include <string.h>
#include <unistd.h>

enum { CALLS_MOST = 50, LINE_BYTES = 1024 };

/* One line in the making; what does not fit is left out. */
struct line {
	char text[LINE_BYTES];
	size_t len;
};

static void
append(struct line *line, const char *text, size_t n)
{
	size_t room = sizeof(line->text) - line->len;

	n = n < room ? n : room;
	memcpy(line->text + line->len, text, n);
	line->len += n;
}

static void
append_text(struct line *line, const char *text)
{
	append(line, text, strlen(text));
}

static void
append_string(struct line *line, const zend_string *text)
{
	if (text != NULL)
		append(line, ZSTR_VAL(text), ZSTR_LEN(text));
}

static void
append_number(struct line *line, uint32_t number)
{
	char digits[10];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	append(line, digits + at, sizeof(digits) - at);
}

static void
append_function(struct line *line, const zend_function *function)
{
	if (function->common.scope != NULL) {
		append_string(line, function->common.scope->name);
		append_text(line, "::");
	}
	append_string(line, function->common.function_name);
	append_text(line, function->common.function_name != NULL ? "()" : "{main}");
}

static void
write_call(int fd, const zend_execute_data *call)
{
	struct line line = { .len = 0 };

	append_text(&line, "  ");
	append_function(&line, call->func);
	if (ZEND_USER_CODE(call->func->type)) {
		append_text(&line, " at ");
		append_string(&line, call->func->op_array.filename);
		append_text(&line, ":");
		append_number(&line, call->opline->lineno);
	}
	if (line.len == sizeof(line.text))
		line.len--;
	append_text(&line, "\n");
	(void)!write(fd, line.text, line.len);
}

void
stack_write(int fd)
{
	static const char head[] = "The script was here, the last call first:\n";
	const zend_execute_data *call = EG(current_execute_data);

	if (call != NULL)
		(void)!write(fd, head, sizeof(head) - 1);
	for (int i = 0; call != NULL && i < CALLS_MOST;
		i++, call = call->prev_execute_data)
		if (call->func != NULL)
			write_call(fd, call);
}
