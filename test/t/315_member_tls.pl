# Two operators as in the README's chapter on production: each with a wire in a
# server of its own, settings and pg_hba.conf as the library prints them, TLS
# with certificates of a common authority, and nothing but that lets a peer in.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerCluster;

my $directory = PostgreSQL::Test::Utils::tempdir();
my %name = (1 => 'DEUD1', 2 => 'FRAF1');
my (%ledger, %wire, %address);

sub openssl { return run_log([ 'openssl', @_ ]) || BAIL_OUT("openssl $_[0]") }

# A key and a certificate of the authority's for that name.
sub certify
{
	my ($file, $subject) = @_;

	openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', "/CN=$subject",
		'-keyout', "$file.key", '-out', "$file.csr");
	openssl('x509', '-req', '-in', "$file.csr", '-CA', "$directory/ca.crt", '-CAkey', "$directory/ca.key", '-CAcreateserial', '-days', '2', '-out', "$file.crt");
	chmod 0600, "$file.key";
	return;
}

sub sql { my ($member, $query) = @_; return $ledger{$member}->safe_psql('postgres', $query) }

sub final
{
	my ($member, $id) = @_;
	my $ref = sql($member, "INSERT INTO cdr VALUES ($id) RETURNING ledger_ref");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like(sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "row $id of $name{$member} is final")
	  || diag(sql($member, "SELECT ledger.explain_wait('$ref')") . "\n" . sql($member, 'SELECT * FROM ledger.peer'));
}

# The lines that the library prints go to the top of the wire's pg_hba.conf; an
# address that it cannot know is filled in.
sub let_in
{
	my ($member) = @_;
	my $file = $wire{$member}->data_dir . '/pg_hba.conf';
	my $lines = sql($member, 'SELECT ledger.hba_rules()');

	$lines =~ s/^# (hostssl .*)<address of \w+>/$1localhost/mg;
	append_to_file("$file.new", "$lines\n" . slurp_file($file));
	rename "$file.new", $file or BAIL_OUT("cannot rename to $file: $!");
	$wire{$member}->reload;
	return $lines;
}

openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=consortium', '-days', '2',
	'-keyout', "$directory/ca.key", '-out', "$directory/ca.crt");
certify("$directory/server", 'localhost');
foreach my $member (1, 2)
{
	# what libpq shows when these servers are the client
	local $ENV{PGSSLCERT} = "$directory/member$member.crt";
	local $ENV{PGSSLKEY} = "$directory/member$member.key";
	local $ENV{PGSSLROOTCERT} = "$directory/ca.crt";

	$wire{$member} = LedgerCluster->new_server("wire$member", preload => 0, allows_streaming => 'logical', conf => <<"END");
listen_addresses = 'localhost'
ssl = on
ssl_cert_file = '$directory/server.crt'
ssl_key_file = '$directory/server.key'
ssl_ca_file = '$directory/ca.crt'
wal_retrieve_retry_interval = '200ms'
END
	$address{$member} = sprintf 'host=localhost port=%d dbname=roaming_wire sslmode=verify-full', $wire{$member}->port;
	$ledger{$member} = LedgerCluster->new_server("ledger$member", conf =>
		  sprintf("telco_ledger.wire_conninfo = 'host=%s port=%d dbname=roaming_wire'\n", $wire{$member}->host, $wire{$member}->port));
	$ledger{$member}->create_extension;
}

# The founder, its settings, its first rows.
sql(1, "SELECT ledger.create_node('DEUD1')");
sql(1, 'CREATE TABLE cdr (id bigint) USING ledger');
final(1, $_) foreach (1 .. 3);
sql(1, "SELECT ledger.announce('$address{1}')");
my $fingerprint = sql(2, 'SELECT ledger.fingerprint()');
my $invitation = sql(1, "SELECT ledger.invite('FRAF1', '$fingerprint')");
my %role = map { $_ => sql(1, "SELECT ledger_internal.wire_role($_)") } (1, 2);
certify("$directory/member$_", $role{$_}) foreach (1, 2);
sql(2, "SELECT ledger.join('$invitation', 'FRAF1', '$address{2}')");
sql(2, 'CREATE TABLE cdr (id bigint) USING ledger');
foreach my $member (1, 2)
{
	foreach my $row (split /\n/, sql($member, "SELECT line FROM ledger.check_settings() WHERE server = 'wire'"))
	{
		$wire{$member}->append_conf('postgresql.conf', $row);
	}
	local $ENV{PGSSLCERT} = "$directory/member$member.crt";
	local $ENV{PGSSLKEY} = "$directory/member$member.key";
	local $ENV{PGSSLROOTCERT} = "$directory/ca.crt";
	$wire{$member}->restart;
	ok($ledger{$member}->poll_query_until('postgres', "SELECT count(*) = 0 FROM ledger.check_settings() WHERE server = 'wire'"), "the wire of $name{$member} has the settings that it needs")
	  || diag(sql($member, 'SELECT * FROM ledger.check_settings()'));
	like(let_in($member), qr/^hostssl +roaming_wire +\Q$role{3 - $member}\E +localhost +cert$/m, "and lets the other in by certificate");
}
sql(1, "SELECT ledger.admit('FRAF1', '$fingerprint', '$address{2}')");
ok($ledger{$_}->poll_query_until('postgres', 'SELECT ledger_internal.epoch_now() = 1'), "$name{$_} knows two members") foreach (1, 2);
foreach my $member (1, 2)
{
	final($member, 10 + $member);
	ok($ledger{$member}->poll_query_until('postgres', 'SELECT bool_and(log_link = \'streaming\' AND body_link = \'streaming\') FROM ledger.peer WHERE member <> ' . $member), "both links of $name{$member} stream")
	  || diag(sql($member, 'SELECT * FROM ledger.peer'));
	is($wire{$member}->safe_psql('postgres', "SELECT count(*) > 0, bool_and(s.ssl), bool_and(s.client_dn = '/CN=' || a.usename) FROM pg_stat_activity AS a JOIN pg_stat_ssl AS s USING (pid) WHERE a.usename = '$role{3 - $member}'"),
		't|t|t', 'the other member is there by TLS, with its certificate');
	is($ledger{$member}->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'ledger\\_%'"), '0', 'nobody is in the server of the ledger');
	$ledger{$member}->wait_final_all;
	$ledger{$member}->verify_clean("$name{$member} verifies clean");
}

# What an operator watches.
foreach my $member (1, 2)
{
	is(sql($member, 'SELECT state, pending_age, worker_pid > 0 FROM ledger.status'), 'live||t', "$name{$member} is well");
	ok($ledger{$member}->poll_query_until('postgres', 'SELECT member, log_link, body_link, lag_rows, reason, quarantined FROM ledger.peer WHERE member <> ' . $member, (3 - $member) . '|streaming|streaming|0||0'), 'its link lacks nothing')
	  || diag(sql($member, 'SELECT * FROM ledger.peer'));
	is(sql($member, 'SELECT * FROM ledger.evidence'), '', 'nobody is accused');
	is(sql($member, "SELECT line FROM ledger.check_settings()"), '', 'and no setting is missing, in the ledger\'s server neither');
	is(sql($member, 'SELECT verdict FROM ledger.verification ORDER BY id DESC LIMIT 1'), 'clean', 'the last verification was clean');
	ok(!$ledger{$member}->log_contains('consensus alarm'), 'and there was no alarm');
}

# What is not that peer with its certificate is not let in.
my $to = sprintf 'host=localhost port=%d sslmode=require sslrootcert=%s user=%s', $wire{1}->port, "$directory/ca.crt", $role{2};
my $as2 = "sslcert=$directory/member2.crt sslkey=$directory/member2.key";

sub refused
{
	my ($conninfo, $what) = @_;
	my ($out, $error) = run_command([ 'psql', '-XAtc', 'SELECT 1', '-d', $conninfo ]);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($out eq '' && $error =~ /reject|certificate|authentication failed/, $what) || diag("$out$error");
}

my ($rows, $complaint) = run_command([ 'psql', '-XAtc', 'SELECT count(*) > 0 FROM ledger_wire.log_1', '-d', "$to $as2 dbname=roaming_wire" ]);
is("$rows$complaint", 't', 'the peer reads the wire');
refused("$to sslcert=none dbname=roaming_wire", 'not without a certificate');
refused("$to sslcert=$directory/member1.crt sslkey=$directory/member1.key dbname=roaming_wire", 'not with that of somebody else');
refused("$to $as2 dbname=postgres", 'no other database');
refused("$to $as2 dbname=roaming_wire replication=true", 'no copy of the whole server');

done_testing();
