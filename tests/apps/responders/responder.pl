# A FastCGI responder on libfcgi-perl: says who it is, what was asked and what was sent.
use strict;
use warnings;
use FCGI;

my $request = FCGI::Request();
while ($request->Accept() >= 0) {
	my $body = '';
	read(STDIN, $body, $ENV{CONTENT_LENGTH}) if $ENV{CONTENT_LENGTH};
	print "Content-Type: text/plain\r\nX-Pid: $$\r\n\r\n";
	print "$ENV{REQUEST_METHOD} $ENV{QUERY_STRING} $body";
	print STDERR "perl was asked\n";
}
