# What goes wrong at one server is never the result of a call: cancelled, out of
# memory, no room on the disk, a lock that is not to be had, a deadlock, a process
# that is killed.  The block is applied again, with the same result as elsewhere.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "work_mem = '64kB'\nlog_lock_waits = on\ndeadlock_timeout = '2 s'\n");
my @members = (1 .. 4);
my $node = $wires->node(4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $number = 10_000;

# A library by which writes to temporary files find no room while a file exists.
my $directory = PostgreSQL::Test::Utils::tempdir();
my $full = "$directory/full";

append_to_file("$directory/full.c", <<'END');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t
pwrite(int file, const void *bytes, size_t size, off_t offset)
{
	ssize_t		(*next) (int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
	char		link[64];
	char		path[4096] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	if (access(FULL, F_OK) == 0 && readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "pgsql_tmp") != NULL)
	{
		errno = ENOSPC;
		return -1;
	}
	return next(file, bytes, size, offset);
}

ssize_t
pwrite64(int file, const void *bytes, size_t size, off_t offset)
{
	return pwrite(file, bytes, size, offset);
}
END
my $can_be_full = PostgreSQL::Test::Utils::run_log([ 'cc', '-shared', '-fPIC', "-DFULL=\"$full\"", '-o', "$directory/full.so", "$directory/full.c", '-ldl' ]);
my $can_lack_memory = PostgreSQL::Test::Utils::run_log([ 'prlimit', '--version' ]);

if ($can_be_full)
{
	$node->stop;
	local $ENV{LD_PRELOAD} = "$directory/full.so";
	$node->start;
}
deploy($wires, 1, 'heavy', slurp_file("$FindBin::RealBin/../contracts/heavy.sql"));
approve($wires, 'heavy', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'heavy'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);
is(outcome(4, $wires->sql(1, 'SELECT heavy.fill(3000)')), 'done', 'it has rows');

sub outcome { my ($member, $ref) = @_; return $wires->sql($member, "SELECT state FROM ledger.outcome('$ref', '$wait')") }
sub worker { return $node->wait_for_worker }

sub set
{
	my ($value) = @_;

	$wires->sql(4, "ALTER SYSTEM $value;\nSELECT pg_reload_conf()");
	return;
}

# A call that cannot be executed at member 4, and can later.
#	before, during, after	what happens there: before the call, when it waits for a
#							table that somebody has locked, when the log has told
#	log						what it tells
#	passes					without help: the next worker has room
sub injected
{
	my ($name, $call, %case) = @_;
	my $at = -s $node->logfile;

	$case{before}->();
	my $ref = $wires->sql(1, sprintf "SELECT heavy.$call", ++$number);

	is(outcome(1, $ref), 'done', "$name: a call is done elsewhere");
	if ($case{during})
	{
		ok($wires->poll(4, q{SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'heavy.pile'::regclass)}), "$name: it waits at member 4");
		$case{during}->();
	}
	ok($node->wait_for_log($case{log}, $at), "$name: and not at member 4");
	is($wires->sql(4, "SELECT state FROM ledger.outcome('$ref', '0')"), 'waiting', "$name: of which nothing has become there") if !$case{passes};
	$case{after}->() if $case{after};
	is(outcome(4, $ref), 'done', "$name: until it can be executed");
	like(same_everywhere($wires, q{SELECT encode(digest, 'hex') FROM ledger.state ORDER BY table_id}, @members), qr/\A[0-9a-f\n]+\z/, "$name: with the same state as elsewhere");
	return;
}

# A session of member 4 has a table meanwhile.
my $session;

sub lock_pile
{
	$session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query("SET deadlock_timeout = '20 s'; BEGIN; LOCK TABLE heavy.pile");
	return;
}
sub unlock { $session->query('ROLLBACK'); $session->quit; return }

set(q{SET lock_timeout = '10 ms'});
injected('a lock', 'touch(%d)', before => \&lock_pile, log => qr/still waiting for RowExclusiveLock/, after => \&unlock);
set('RESET lock_timeout');
injected('cancelled', 'touch(%d)', before => \&lock_pile, during => sub { $wires->sql(4, 'SELECT pg_cancel_backend(' . worker() . ')') },
	log => qr/ERROR:  canceling statement due to user request/, after => \&unlock);

# Each of the two looks for a deadlock once, after its deadlock_timeout: the worker
# finds it, unless the session came too late.
foreach my $try (1 .. 5)
{
	my $victim;

	injected("a deadlock ($try)", 'touch(%d)', before => \&lock_pile, during => sub { $victim = worker(); $session->query('LOCK TABLE heavy.result') },
		log => qr/ERROR:  deadlock detected/, after => \&unlock);
	my $found = slurp_file($node->logfile) =~ /\[$victim\] .*ERROR:  deadlock detected/;

	next if !$found && $try < 5;
	ok($found, 'it was the worker that gave up');
	last;
}
injected('killed', 'touch(%d)', before => \&lock_pile, during => sub { $node->kill9_worker; $session->{run}->kill_kill },
	log => qr/was terminated by signal 9/, passes => 1);

# Too little room.
set('SET temp_file_limit = 0');
injected('a limit of the server', 'sorted(%d)', before => sub { }, log => qr/ERROR:  temporary file size exceeds temp_file_limit/, after => sub { set('RESET temp_file_limit') });
SKIP:
{
	skip('no compiler for a library that makes the disk full', 5) if !$can_be_full;
	injected('a full disk', 'sorted(%d)', before => sub { append_to_file($full, '') }, log => qr/ERROR:  could not write to file ".*pgsql_tmp.*": No space left on device/, after => sub { unlink $full });
}
SKIP:
{
	skip('no prlimit', 4) if !$can_lack_memory;
	injected('out of memory', q{grow(%d, repeat('x', 800000))}, before => sub
		{
			my $worker = worker();
			my ($size) = slurp_file("/proc/$worker/status") =~ /^VmSize:\s+(\d+) kB/m;

			system_or_bail('prlimit', '--pid', $worker, '--as=' . (($size + 4096) * 1024));
		},
		log => qr/ERROR:  out of memory/, passes => 1);
}
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (1, 4);
is(same_everywhere($wires, q{SELECT count(*), count(DISTINCT state) FROM ledger.call_outcome}, @members) =~ /^\d+\|1$/ ? 1 : 0, 1, 'no call has another outcome than done');

done_testing();
