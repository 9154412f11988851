/*
 * The environ of a request. Nearly all names are constants, and nearly all values stand
 * in the head already, where they are given their NUL: making it costs little more than
 * to look each field up.
 *
 * Only what has a byte behind it that nobody needs is ended in place: the method, the
 * target with the query at its end, and the values of fields. The path and the
 * authority of an absolute-form target are followed by more of the target; they are
 * copied.
 */
#include "protocols/cgi_request.h"

#include "protocols/http1_guard.h"

/* Ids, one for each row; AT_n is the first of the fields with n bytes. */
enum {
	NO_ID,
#define OWN(id) OWN_##id,
#define FIELD(id, name, field) FIELD_##id,
#define DROP(id, field) FIELD_##id,
#define LENGTH(n) AT_##n, BEFORE_##n = AT_##n - 1,
#include "protocols/cgi_names.def"
#undef OWN
#undef FIELD
#undef DROP
#undef LENGTH
	IDS
};

_Static_assert(IDS <= (int)CGI_VAR_IDS, "more names than ids");

struct known {
	const char *name; /* NULL: the field is left out */
	const char *field;
	unsigned char name_len;
	unsigned char field_len; /* 0: not made from a field */
};

/* The last row ends the fields of the greatest length. */
static const struct known known[IDS + 1] = {
#define OWN(id) [OWN_##id] = { #id, "", sizeof(#id) - 1, 0 },
#define FIELD(id, name, field) \
	[FIELD_##id] = { name, field, sizeof(name) - 1, sizeof(field) - 1 },
#define DROP(id, field) [FIELD_##id] = { NULL, field, 0, sizeof(field) - 1 },
#define LENGTH(n)
#include "protocols/cgi_names.def"
#undef OWN
#undef FIELD
#undef DROP
#undef LENGTH
};

static const unsigned char first_of_length[] = {
#define OWN(id)
#define FIELD(id, name, field)
#define DROP(id, field)
#define LENGTH(n) [n] = AT_##n,
#include "protocols/cgi_names.def"
#undef OWN
#undef FIELD
#undef DROP
#undef LENGTH
};

/* An environ in the making. Places are indices of vars plus one; 0: none. */
struct maker {
	struct cgi_var *vars;
	size_t n;
	struct arena *memory;
	const struct http1_head *head;
	uint32_t *place_of_field;
	uint32_t place_of_id[IDS];
	uint32_t *table; /* places of the names without an id, by their hash */
	size_t mask;
	bool underscores; /* in names are wanted */
	bool repeats; /* of a field, whose values are to be joined */
	bool failed; /* memory is out */
};

static char *
take(struct maker *m, size_t n)
{
	char *bytes = arena_bytes(m->memory, n);

	m->failed |= bytes == NULL;
	return bytes;
}

/* ---- The variables that are no fields ---- */

static void
add(struct maker *m, unsigned id, const char *value, size_t len)
{
	m->vars[m->n++] = (struct cgi_var){
		.name = known[id].name,
		.name_len = known[id].name_len,
		.value = value,
		.value_len = (uint32_t)len,
		.id = id,
	};
}

static void
add_text(struct maker *m, unsigned id, const char *text)
{
	add(m, id, text, strlen(text));
}

/* Ends a text over the byte behind it, unless it has ended there: another thread may
 * read such a one. Empty ones may stand anywhere. */
static const char *
end_in_place(struct slice s)
{
	if (s.len == 0)
		return "";
	if (s.ptr[s.len] != '\0')
		((char *)s.ptr)[s.len] = '\0';
	return s.ptr;
}

static bool
is_within(struct slice part, struct slice whole)
{
	return part.ptr >= whole.ptr && part.ptr < whole.ptr + whole.len;
}

/* A web server has decoded it already. */
static void
add_path(struct maker *m, const struct cgi_request *told)
{
	struct slice path = m->head->path;

	if (told != NULL && told->vars[CGI_PATH_INFO].ptr != NULL) {
		add(m, OWN_PATH_INFO, told->vars[CGI_PATH_INFO].ptr,
			told->vars[CGI_PATH_INFO].len);
		return;
	}
	char *decoded = take(m, path.len + 1);

	if (decoded == NULL)
		return;
	size_t len = cgi_decode_path(decoded, path);
	decoded[len] = '\0';
	add(m, OWN_PATH_INFO, decoded, len);
}

static void
add_host(struct maker *m)
{
	struct slice host = m->head->authority;

	if (host.len == 0)
		return;
	const char *text = is_within(host, m->head->target)
		? arena_strz(m->memory, host)
		: end_in_place(host);
	m->failed |= text == NULL;
	add(m, OWN_HTTP_HOST, text, host.len);
}

static void
add_content_length(struct maker *m, uint64_t length)
{
	char *text = take(m, HTTP1_DIGITS + 1);

	if (text == NULL)
		return;
	text[HTTP1_DIGITS] = '\0';
	struct slice digits = http1_digits(text + HTTP1_DIGITS, length, 10);
	add(m, OWN_CONTENT_LENGTH, digits.ptr, digits.len);
}

/* What a web server says for the application alone, and the protocol that it speaks. */
static void
add_told(struct maker *m, const struct cgi_request *told)
{
	static const struct {
		enum cgi_told var;
		unsigned id;
	} rows[] = {
		{ CGI_SERVER_PROTOCOL, OWN_SERVER_PROTOCOL },
		{ CGI_AUTH_TYPE, OWN_AUTH_TYPE },
		{ CGI_REMOTE_USER, OWN_REMOTE_USER },
		{ CGI_REMOTE_IDENT, OWN_REMOTE_IDENT },
		{ CGI_REMOTE_HOST, OWN_REMOTE_HOST },
		{ CGI_SERVER_ADDR, OWN_SERVER_ADDR },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice value = told->vars[rows[i].var];
		if (value.len > 0)
			add(m, rows[i].id, value.ptr, value.len);
	}
}

static void
add_own(struct maker *m, const struct cgi_source *source)
{
	const struct http1_head *head = m->head;
	const char *target = end_in_place(head->target);

	add(m, OWN_REQUEST_METHOD, end_in_place(head->method), head->method.len);
	add_text(m, OWN_REQUEST_SCHEME, source->scheme);
	add(m, OWN_REQUEST_URI, target, head->target.len);
	add(m, OWN_RAW_URI, target, head->target.len);
	add_text(m, OWN_SCRIPT_NAME,
		source->script_name != NULL ? source->script_name : "");
	add_path(m, source->told);
	add(m, OWN_QUERY_STRING, head->query.len > 0 ? head->query.ptr : "",
		head->query.len);
	if (source->has_body)
		add_content_length(m, source->body_length);
	add_text(m, OWN_SERVER_NAME, source->server_name);
	add_text(m, OWN_SERVER_PORT, source->server_port);
	if (source->told != NULL)
		add_told(m, source->told);
	else
		add_text(m, OWN_SERVER_PROTOCOL,
			head->minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
	add_text(m, OWN_SERVER_SOFTWARE, source->software);
	add_text(m, OWN_GATEWAY_INTERFACE, "CGI/1.1");
	add_text(m, OWN_REMOTE_ADDR, source->remote_addr);
	add_text(m, OWN_REMOTE_PORT, source->remote_port);
	if (source->request_id.len > 0)
		add(m, OWN_REQUEST_ID, source->request_id.ptr, source->request_id.len);
	if (strcmp(source->scheme, "https") == 0)
		add_text(m, OWN_HTTPS, "on");
	add_host(m);
	if (source->proxy_protocol != NULL) {
		add_text(m, OWN_PROXY_PROTOCOL, source->proxy_protocol);
		add_text(m, OWN_PROXY_ADDR, source->proxy_addr);
		add_text(m, OWN_PROXY_PORT, source->proxy_port);
	}
}

/* ---- The names of fields ---- */

static unsigned
find_known(struct slice field)
{
	if (field.len >= sizeof(first_of_length))
		return NO_ID;
	char first = (char)(field.ptr[0] | 0x20);
	char last = (char)(field.ptr[field.len - 1] | 0x20);
	for (unsigned id = first_of_length[field.len]; known[id].field_len == field.len;
		id++) {
		const char *name = known[id].field;
		if (first == name[0] && last == name[field.len - 1] &&
			strncasecmp(field.ptr, name, field.len) == 0)
			return id;
	}
	return NO_ID;
}

/* User_Agent, where it is wanted, is what User-Agent is: no name may come twice. */
static unsigned
find_twin(struct maker *m, struct slice field)
{
	bool wanted = m->underscores && memchr(field.ptr, '_', field.len) != NULL;
	char *twin = wanted ? take(m, field.len) : NULL;

	if (twin == NULL)
		return NO_ID;
	for (size_t i = 0; i < field.len; i++)
		twin[i] = field.ptr[i] == '_' ? '-' : field.ptr[i];
	return find_known(slice_of(twin, field.len));
}

/* HTTP_X_NAME for X-Name, in the arena; the empty slice when it is to be left out. */
static struct slice
make_name(struct maker *m, struct slice field)
{
	enum { PREFIX = sizeof("HTTP_") - 1 };

	if (!m->underscores && memchr(field.ptr, '_', field.len) != NULL)
		return (struct slice){ 0 };
	char *name = take(m, PREFIX + field.len + 1);
	if (name == NULL)
		return (struct slice){ 0 };
	memcpy(name, "HTTP_", PREFIX);
	for (size_t i = 0; i < field.len; i++) {
		char c = field.ptr[i];
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		name[PREFIX + i] = c == '-' ? '_' : c;
	}
	name[PREFIX + field.len] = '\0';
	return slice_of(name, PREFIX + field.len);
}

/*
 * The hash begins with an address, which a client cannot know: else it could send names
 * that all fall on one row, and looking them up would not be linear.
 */
static uint64_t
hash(const struct maker *m, struct slice name)
{
	uint64_t h = (uintptr_t)m->table ^ (uint64_t)(uintptr_t)known << 20;

	for (size_t i = 0; i < name.len; i++) {
		h = (h ^ (unsigned char)name.ptr[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

static bool
make_table(struct maker *m)
{
	size_t rows = 16;

	while (rows < m->head->n_fields * 2)
		rows *= 2;
	m->table = arena_alloc(m->memory, rows * sizeof(*m->table));
	m->mask = rows - 1;
	m->failed |= m->table == NULL;
	if (m->table != NULL)
		memset(m->table, 0, rows * sizeof(*m->table));
	return m->table != NULL;
}

/* The row of a name, which holds its place, or 0 when it comes for the first time. */
static uint32_t *
find_row(struct maker *m, struct slice name)
{
	size_t at = hash(m, name) & m->mask;

	while (m->table[at] != 0) {
		const struct cgi_var *var = &m->vars[m->table[at] - 1];
		if (slice_eq(slice_of(var->name, var->name_len), name))
			break;
		at = (at + 1) & m->mask;
	}
	return &m->table[at];
}

/* ---- Fields ---- */

static struct slice
separator(const struct cgi_var *var)
{
	return var->id == FIELD_COOKIE ? SLICE("; ") : SLICE(", ");
}

/* The field at `place` is a variable, or one more value of one, whose length grows
 * then. */
static void
add_value(struct maker *m, uint32_t *place, struct cgi_var var, struct slice value)
{
	if (*place == 0) {
		m->vars[m->n] = var;
		m->vars[m->n].value = end_in_place(value);
		m->vars[m->n].value_len = (uint32_t)value.len;
		*place = (uint32_t)++m->n;
		return;
	}
	struct cgi_var *first = &m->vars[*place - 1];
	first->value = NULL;
	first->value_len += (uint32_t)(separator(first).len + value.len);
	m->repeats = true;
}

/* Returns the place of its variable, 0 when it has none. */
static uint32_t
add_field(struct maker *m, const struct http1_field *field)
{
	unsigned id = find_known(field->name);
	if (id == NO_ID)
		id = find_twin(m, field->name);
	struct cgi_var var = {
		.name = known[id].name,
		.name_len = known[id].name_len,
		.id = id,
	};
	uint32_t *place = &m->place_of_id[id];

	if (id == NO_ID) {
		struct slice name = make_name(m, field->name);
		if (name.len == 0 || (m->table == NULL && !make_table(m)))
			return 0;
		var.name = name.ptr;
		var.name_len = (uint32_t)name.len;
		place = find_row(m, name);
	}
	if (var.name == NULL)
		return 0;
	add_value(m, place, var, field->value);
	return *place;
}

/* Puts a value before those that a variable has already. */
static void
put_before(struct maker *m, struct cgi_var *var, struct slice value)
{
	char *at = (char *)var->value;

	if (at != NULL) {
		at -= separator(var).len;
		memcpy(at, separator(var).ptr, separator(var).len);
	} else {
		at = take(m, (size_t)var->value_len + 1);
		if (at == NULL)
			return;
		at += var->value_len;
		*at = '\0';
	}
	at -= value.len;
	memcpy(at, value.ptr, value.len);
	var->value = at;
}

/* Joins the values of repeated fields, the last one first: so each is copied once. */
static void
join_repeats(struct maker *m)
{
	for (size_t i = m->head->n_fields; i-- > 0 && !m->failed;) {
		struct slice value = m->head->fields[i].value;
		uint32_t place = m->place_of_field[i];
		/* The joined length is always greater than that of one of the values.
		 */
		if (place != 0 && m->vars[place - 1].value_len != value.len)
			put_before(m, &m->vars[place - 1], value);
	}
}

size_t
cgi_environ(const struct cgi_source *source, struct cgi_var *vars, struct arena *memory)
{
	const struct http1_head *head = source->head;
	struct maker m = {
		.vars = vars,
		.memory = memory,
		.head = head,
		.underscores = source->underscores,
	};

	add_own(&m, source);
	m.place_of_field = arena_alloc(memory, head->n_fields * sizeof(uint32_t));
	if (m.place_of_field == NULL)
		return 0;
	for (size_t i = 0; i < head->n_fields && !m.failed; i++)
		m.place_of_field[i] = add_field(&m, &head->fields[i]);
	if (m.repeats)
		join_repeats(&m);
	return m.failed ? 0 : m.n;
}
