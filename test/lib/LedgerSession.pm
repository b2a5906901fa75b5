# One session for each database of a server, kept from statement to statement; what a
# test asks in passing is run in it.  A psql and a backend for each statement would
# cost most of the time that the tests take.
#
#	my $session = LedgerSession->of($node, $database) or ...	# nobody answers
#	my ($status, $out, $err) = $session->run(@statements)
#		# as psql -XAtq -v ON_ERROR_STOP=1 would end and print, but bytea is always
#		# hexadecimal, and large floats have no exponent
#	my @statements = LedgerSession::statements($script)
#		# none if the script needs a psql, or a session, of its own
#	LedgerSession::end($node)	# all of its sessions
#	LedgerSession::end($node) if LedgerSession::is_outdated_by($script)
#
# A session is for statements that leave nothing behind in it.  Which these are is told
# by their first word, and what they call is looked for by name; a statement that is not
# known is not run here.
package LedgerSession;

use strict;
use warnings;

use DBI;

# Of each server by the directory that it keeps its data in, of each process that a test
# forks, and of each set of options for new sessions.
my %sessions;

my $kept = qr/^(?:SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|TABLE|CREATE\s+TABLE|ALTER\s+TABLE|DROP\s+TABLE|TRUNCATE|DO|CALL|BEGIN|COMMIT|ROLLBACK)\b/i;
my $lasting = qr/\bset_config\b|advisory_|\bpg_backend_pid\b|\bpg_(?:terminate|cancel)_backend\b|\bpg_reload_conf\b|\b(?:pg_)?TEMP(?:ORARY)?\b|\bSET\s+(?:LOCAL|SESSION|ROLE)\b|\bDATABASE\b|\bLOAD\b|\bLISTEN\b|\blastval\b|\bcurrval\b/i;

# What ends at a semicolon, and what may hide one.
my $piece = qr/
	'(?:[^']|'')*'
	| "(?:[^"]|"")*"
	| (\$(?:[A-Za-z_]\w*)?\$).*?\g{-1}
	| --[^\n]*
	| \/\*.*?\*\/
	| [^;'"\$\\\/-]+
	| \$(?!(?:[A-Za-z_]\w*)?\$)
	| [-\/]
/xs;

sub statements
{
	my ($script) = @_;
	my @statements;

	return if !defined $script || $script =~ $lasting || is_outdated_by($script);
	return if $script =~ /\bE'/i || $script =~ /\bDO\b.*\bSET\b/is;
	while ($script =~ /\G((?:$piece)*+)(;|\z)/gc)
	{
		my ($statement, $end) = ($1, $3);

		$statement =~ s/^(?:\s+|--[^\n]*\n)+//;
		$statement =~ s/\s+\z//;
		push @statements, $statement if $statement ne '';
		last if $end eq '';
	}
	return if (pos($script) // 0) != length $script || grep { $_ !~ $kept } @statements;
	return @statements;
}

sub of
{
	my ($class, $node, $database) = @_;
	my $place = \$sessions{$$}{ $node->data_dir }{ join ' ', $database, map { $_ // '' } @ENV{qw(PGOPTIONS PGUSER PGAPPNAME)} };

	return $$place if $$place && !$$place->{over} && $$place->{connection}->ping > 0;
	undef $$place;

	my $connection = DBI->connect(sprintf("dbi:Pg:dbname='%s';host=%s;port=%d", $database, $node->host, $node->port), undef, undef,
		{ AutoInactiveDestroy => 1, PrintError => 0, PrintWarn => 1, RaiseError => 0, pg_bool_tf => 1, pg_enable_utf8 => 0, pg_expand_array => 0, pg_server_prepare => 0 })
	  or return;
	return $$place = bless { connection => $connection }, $class;
}

# Whether sessions that began before may now differ from new ones, or be in the way.
sub is_outdated_by
{
	my ($script) = @_;

	return defined $script && $script =~ /\b(?:DATABASE|EXTENSION|ROLE|SYSTEM|USER|pg_reload_conf)\b/i;
}

sub end
{
	my ($node) = @_;

	delete $sessions{$$}{ $node->data_dir };
	return;
}

sub run
{
	my ($self, @statements) = @_;
	my ($out, $err) = ('', '');

	local $SIG{__WARN__} = sub { $err .= said(@_) };
	foreach my $statement (@statements)
	{
		next if $self->execute($statement, \$out);
		$err .= said($self->{connection}->errstr);
		return ($self->leave ? 3 : 2, $out, $err);
	}
	$self->leave;
	return (0, $out, $err);
}

# Rows as psql prints them when it is told to print nothing else.
sub execute
{
	my ($self, $statement, $out) = @_;
	my $handle = $self->{connection}->prepare($statement, { pg_direct => 1 });

	$handle->execute or return 0;
	return 1 if !$handle->{NUM_OF_FIELDS};

	my @types = @{ $handle->{pg_type} };

	while (my $row = $handle->fetch)
	{
		$$out .= join('|', map { printed($types[$_], $row->[$_]) } 0 .. $#types) . "\n";
	}
	return 1;
}

# Where DBD::Pg has made a value of Perl's of what the server sent.
sub printed
{
	my ($type, $value) = @_;

	return '' if !defined $value;
	return '\\x' . unpack('H*', $value) if $type eq 'bytea';
	return $value if $type !~ /^float[48]$/;
	return $value != $value ? 'NaN' : $value > 0 ? 'Infinity' : '-Infinity' if $value != $value || $value - $value != 0;

	# as few digits as make the same number again
	foreach my $digits ($type eq 'float4' ? (6 .. 9) : (15 .. 17))
	{
		my $text = sprintf "%.${digits}g", $value;

		return $text if $type eq 'float4' ? unpack('f', pack('f', $text)) == unpack('f', pack('f', $value)) : $text == $value;
	}
	die "$value is no $type\n";
}

# A session that was lost, or in which a transaction is open, ends with its script as that
# of a psql does; true if it was not lost.
sub leave
{
	my ($self) = @_;
	my $state = $self->{connection}->ping;

	if ($state != 1)
	{
		$self->{over} = 1;
		$self->{connection}->disconnect;
	}
	return $state > 0;
}

# A message of the server, with the place that psql gives it.
sub said
{
	my ($message) = @_;

	return "psql:<stdin>:1: $message" =~ s/\n*\z/\n/r;
}

1;
