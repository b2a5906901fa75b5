# A server that is, or may become, a node of a ledger.
#
#	my $node = LedgerCluster->new_node('alpha');		# a ledger in "postgres"
#	my $server = LedgerCluster->new_server('plain', preload => 0);
#	my $directory = LedgerCluster->newer_server;		# another major version, if any
#
# A subclass of PostgreSQL::Test::Cluster, so everything that it can do works
# here too.  Signing keys lie beside the data directory, never in the home
# directory of whoever runs the tests.
package LedgerCluster;

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use File::Path qw(rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(gettimeofday time usleep);

use LedgerSession;

our @ISA = ('PostgreSQL::Test::Cluster');

# How many times the framework's time a test waits for what it polls for: a machine may
# be slow.
use constant PATIENCE => 3;

# Until a postmaster that was told to has read its settings, and new sessions have them.
use constant RELOAD_US => 100_000;

# Where the server of a newer major version is that PG_CONFIG_NEW=/path/to/pg_config
# names, or else Debian's 17, if it has the extension.  One that was asked for must be
# usable.
sub newer_server
{
	my $wanted = $ENV{PG_CONFIG_NEW};
	my $pg_config = $wanted || '/usr/lib/postgresql/17/bin/pg_config';
	my ($bindir, $sharedir) = -x $pg_config ? split /\n/, `'$pg_config' --bindir --sharedir` : ('', '');
	my ($own) = split /\n/, `pg_config --bindir`;

	return $bindir =~ s{/bin$}{}r if $bindir ne '' && $bindir ne $own && -e "$sharedir/extension/telco_ledger.control";
	die "PG_CONFIG_NEW=$wanted is not another server with telco_ledger\n" if $wanted;
	return;
}

# As psql() of the framework; what needs neither a psql nor a session of its own is run
# in one that is kept.
sub psql
{
	my ($node, $database, $script, %param) = @_;
	my $is_plain = !grep { !/^(?:stdout|stderr|on_error_die|on_error_stop)$/ } keys %param;
	my @statements = $is_plain && ($param{on_error_stop} // 1) ? LedgerSession::statements($script) : ();

	LedgerSession::end($node) if LedgerSession::is_outdated_by($script);

	my $session = @statements ? LedgerSession->of($node, $database) : undef;

	if (!$session)
	{
		my @ended = wantarray ? $node->SUPER::psql($database, $script, %param) : scalar $node->SUPER::psql($database, $script, %param);

		usleep(RELOAD_US) if defined $script && $script =~ /\bpg_reload_conf\b/;
		return wantarray ? @ended : $ended[0];
	}

	my ($status, $out, $err) = $session->run(@statements);

	die "error running SQL: '$err'\nwith sql '$script'" if $status && $param{on_error_die};
	print $out if !wantarray && !$param{stdout};
	print STDERR $err if !wantarray && !$param{stderr};
	chomp($out, $err);
	${ $param{stdout} } = $out if $param{stdout};
	${ $param{stderr} } = $err if $param{stderr};
	return wantarray ? ($status, $out, $err) : $status;
}

# As that of the framework, but for the pauses, and without a psql for each try.
sub poll_query_until
{
	my ($node, $database, $query, $expected) = @_;
	my $end = time + PATIENCE * $PostgreSQL::Test::Utils::timeout_default;
	my ($status, $out, $err);

	$expected //= 't';
	do
	{
		($status, $out, $err) = $node->psql($database, $query);
		return 1 if $status == 0 && $out eq $expected && $err eq '';
		usleep(50_000);
	} while (time < $end);
	diag("poll_query_until timed out executing this query:\n$query\nexpecting this output:\n$expected\nlast actual query output:\n$out\nwith stderr:\n$err");
	return 0;
}

# What sessions of the test are to have is nothing that a server's own connections to
# others should have, too.
sub start
{
	my ($node, @arguments) = @_;

	delete local $ENV{PGOPTIONS};
	return $node->SUPER::start(@arguments);
}

sub restart
{
	my ($node) = @_;

	delete local $ENV{PGOPTIONS};
	LedgerSession::end($node);
	return $node->SUPER::restart;
}

# Sessions do not outlive their server, nor the settings that they began with.
sub stop
{
	my ($node, @arguments) = @_;

	LedgerSession::end($node);
	return $node->SUPER::stop(@arguments);
}

sub reload
{
	my ($node) = @_;

	LedgerSession::end($node);
	$node->SUPER::reload;
	usleep(RELOAD_US);
	return;
}

# How the worker calls itself in pg_stat_activity.
use constant WORKER => 'telco_ledger worker';

# A started server: preload => 0 leaves the library out, conf => '...' adds
# lines to postgresql.conf, allows_streaming => 1 lets it be backed up; install_path
# names another server than that of the tests, initdb => [...] its options;
# extension => 1: its database postgres has the extension.
sub new_server
{
	my ($class, $name, %param) = @_;
	my $node = $class->new($name, $param{install_path} ? (install_path => $param{install_path}) : ());

	# A ledger's database is UTF8, whatever the caller's locale.
	$node->init_from_copy($param{extension},
		extra => $param{initdb} // [ '--no-locale', '--encoding=UTF8' ],
		allows_streaming => $param{allows_streaming} // 0);
	$node->preload if $param{preload} // 1;
	$node->append_conf('postgresql.conf', $param{conf}) if defined $param{conf};
	$node->start;
	return $node;
}

# init(), but initdb itself runs once for all servers of all files that want the
# same; they begin with copies of what it made.
sub init_from_copy
{
	my ($node, $with_extension, %param) = @_;
	my $run = \&PostgreSQL::Test::Utils::system_or_bail;

	no warnings 'redefine';
	local *PostgreSQL::Test::Utils::system_or_bail = sub {
		return $run->(@_) if $_[0] ne 'initdb';
		my $original = $node->original($with_extension, @{ $param{extra} });

		system_log('cp', '-R', $original, $node->data_dir) == 0 or BAIL_OUT("could not copy $original");
		$node->renew_identifier;
	};
	$node->init(%param);
	return;
}

# A data directory for others to copy: made by whoever needs it first.  Of two
# who do so at one time, one throws its own away.
sub original
{
	my ($node, $with_extension, @options) = @_;
	my $original = $PostgreSQL::Test::Utils::tmp_check . '/original_'
	  . md5_hex(join(' ', $node->install_path // '', $with_extension ? $node->installed_at : '', @options));
	my $new = "$original.$$";

	return $original if -d $original;
	system_or_bail('initdb', '-D', $new, '-A', 'trust', '-N', @options);
	$node->extend_original($new) if $with_extension;
	rename($new, $original) or rmtree($new);
	return $original;
}

# When the extension of that server was installed.
sub installed_at
{
	my ($node) = @_;
	my ($script) = glob($node->config_data('--sharedir') . '/extension/telco_ledger--*.sql');

	return (stat($script))[9];
}

# CREATE EXTENSION needs a server that runs; its own settings leave none behind.
sub extend_original
{
	my ($node, $directory) = @_;
	my $socket = PostgreSQL::Test::Utils::tempdir_short();
	my $settings = "-c listen_addresses= -c unix_socket_directories=$socket -c port=5432 -c shared_preload_libraries=telco_ledger -c telco_ledger.key_directory=$socket";

	system_or_bail('pg_ctl', '-w', '-D', $directory, '-l', "$directory.log", '-o', $settings, 'start');
	my $failed = system_log('psql', '-Xq', '-h', $socket, '-p', 5432, '-d', 'postgres', '-c', 'CREATE EXTENSION telco_ledger CASCADE');
	system_or_bail('pg_ctl', '-w', '-D', $directory, '-m', 'fast', 'stop');
	BAIL_OUT('CREATE EXTENSION failed') if $failed;
	return;
}

# A ledger knows its server by the identifier that initdb draws, so each copy gets
# one of its own, made in the same way.  pg_resetwal takes it from pg_control, whose
# checksum is then wrong, and writes both anew, as well as the WAL that bears it.
sub renew_identifier
{
	my ($node) = @_;
	my ($seconds, $microseconds) = gettimeofday();
	my $path = $node->data_dir . '/global/pg_control';

	open my $control, '+<', $path or BAIL_OUT("could not open $path: $!");
	print $control pack('Q', $seconds << 32 | $microseconds << 12 | $$ & 0xfff) or BAIL_OUT("could not write $path: $!");
	close $control or BAIL_OUT("could not write $path: $!");
	system_log('pg_resetwal', '-f', '-D', $node->data_dir) == 0 or BAIL_OUT('pg_resetwal failed');
	return;
}

# A started server whose database postgres is a ledger; purpose => 'test' makes
# it one that may be disposed of.
sub new_node
{
	my ($class, $name, %param) = @_;
	my $node = $class->new_server($name, extension => 1, %param);

	$node->create_node($name, $param{purpose} // 'production');
	return $node;
}

# The servers of PostgreSQL::Test::Cluster neither flush, without which a
# production ledger signs nothing, nor start again after a crash.
sub preload
{
	my ($node) = @_;
	my $keys = $node->basedir . '/keys';

	mkdir $keys, 0700;
	$node->append_conf('postgresql.conf', <<"END");
shared_preload_libraries = 'telco_ledger'
telco_ledger.key_directory = '$keys'
max_prepared_transactions = 10
fsync = on
restart_after_crash = on
END
	return;
}

sub create_extension
{
	my ($node, $database) = @_;

	$node->safe_psql($database // 'postgres', 'CREATE EXTENSION telco_ledger CASCADE');
	return;
}

sub create_node
{
	my ($node, $name, $purpose, $database) = @_;

	$node->safe_psql($database // 'postgres', "SELECT ledger.create_node('$name', purpose => '$purpose')");
	return;
}

# The process that makes blocks in this database, or '' while there is none.
sub worker_pid
{
	my ($node, $database) = @_;
	my ($worker, $pid) = (WORKER);

	$database //= 'postgres';
	$node->psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$worker' AND datname = '$database'",
		stdout => \$pid);
	return $pid // '';
}

# Kill it as the out-of-memory killer does, and wait for the next one.  The
# postmaster ends all sessions and recovers.
sub kill9_worker
{
	my ($node, $database) = @_;
	my $pid = $node->wait_for_worker($database);

	kill('KILL', $pid) == 1 or BAIL_OUT("could not kill worker $pid: $!");
	$node->wait_ready;
	return $node->wait_for_worker($database, $pid);
}

# Wait for a worker, other than $old when that is given; returns its pid.
sub wait_for_worker
{
	my ($node, $database, $old) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $pid = $node->worker_pid($database);

		return $pid if $pid =~ /^\d+$/ && $pid ne ($old // '');
		usleep(100_000);
	}
	die $node->name . ": no worker appeared\n";
}

# Wait for a server that restarts by itself.  Before it answers, psql may end
# without reading its query, and writing to it then is an error.
sub wait_ready
{
	my ($node) = @_;

	usleep(200_000);
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return
		  if PostgreSQL::Test::Utils::run_log([ 'pg_isready', '-q', '-h', $node->host, '-p', $node->port ]);
		usleep(100_000);
	}
	die $node->name . ": the server did not come back\n";
}

# Kill the postmaster and start again.  Its orphans need a moment to notice, and
# until then they hold the shared memory.
sub crash_and_restart
{
	my ($node) = @_;

	$node->kill9;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $node->start(fail_ok => 1);
		$node->{_pid} = undef;		# it came from the file of the killed one
		usleep(100_000);
	}
	die $node->name . ": the server did not start again\n";
}

# Wait until every committed row is in a final block.
sub wait_final_all
{
	my ($node, $database) = @_;

	$node->poll_query_until($database // 'postgres', 'SELECT rows_pending = 0 FROM ledger.status')
	  or die $node->name . ": rows stayed pending\n";
	return;
}

# One test: a full verification finds nothing.
sub verify_clean
{
	my ($node, $name, $database) = @_;
	my $problems = $node->safe_psql($database // 'postgres', "SELECT * FROM ledger.verify(mode => 'full')");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($problems, '', $name // $node->name . ': verification is clean');
}

1;
