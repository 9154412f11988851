// A FastCGI responder without a library: says who it is, what was asked and what was sent.
"use strict";
const net = require("net");

const END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7;

function record(kind, number, content = Buffer.alloc(0)) {
	const head = Buffer.from([1, kind, number >> 8, number & 255, content.length >> 8,
		content.length & 255, 0, 0]);
	return Buffer.concat([head, content]);
}

function pairs(content) {
	const found = {};
	let at = 0;
	const size = () => {
		if (content[at] < 128)
			return content[at++];
		at += 4;
		return content.readUInt32BE(at - 4) & 0x7fffffff;
	};
	while (at < content.length) {
		const nameSize = size(), valueSize = size();
		const name = content.toString("latin1", at, at + nameSize);
		at += nameSize + valueSize;
		found[name] = content.toString("latin1", at - valueSize, at);
	}
	return found;
}

function answer(connection, number, params, body) {
	const env = pairs(Buffer.concat(params));
	const out = Buffer.concat([
		Buffer.from(`Content-Type: text/plain\r\nX-Pid: ${process.pid}\r\n\r\n` +
			`${env.REQUEST_METHOD} ${env.QUERY_STRING} `), ...body]);
	connection.write(record(STDERR, number, Buffer.from("node was asked\n")));
	for (let i = 0; i < out.length; i += 65535)
		connection.write(record(STDOUT, number, out.subarray(i, i + 65535)));
	connection.end(Buffer.concat([record(STDOUT, number), record(END, number, Buffer.alloc(8))]));
}

net.createServer({ allowHalfOpen: true }, (connection) => {
	const params = [], body = [];
	let input = Buffer.alloc(0);
	connection.on("error", () => {});
	connection.on("data", (piece) => {
		input = Buffer.concat([input, piece]);
		while (input.length >= 8) {
			const kind = input[1], number = input.readUInt16BE(2);
			const length = input.readUInt16BE(4), padding = input[6];
			if (input.length < 8 + length + padding)
				return;
			const content = input.subarray(8, 8 + length);
			input = input.subarray(8 + length + padding);
			if (kind === PARAMS)
				params.push(content);
			else if (kind === STDIN && length > 0)
				body.push(content);
			else if (kind === STDIN)
				answer(connection, number, params, body);
		}
	});
}).listen({ fd: 0 });
