/*-------------------------------------------------------------------------
 *
 * replication_peer.c
 *	  Addresses of peers: what may stand in one, and what is made of it.
 *
 * An address is a libpq connection string.  It comes from a peer and is used
 * by this server, so only keywords that say where a wire is are taken: one
 * with user, options, service or files could make this server connect to
 * itself, or read its own files, as somebody else.  A password is refused
 * because an address is on the ledger for ever.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "replication_peer.h"
#include "replication_setting.h"

static const char *const allowed[] = {"host", "hostaddr", "port", "dbname", "sslmode"};

static char *check_options(const PQconninfoOption *options);
static char *check_value(const char *keyword, const char *value);
static char *check_hosts(const char *hosts);
static char *check_host(const char *host);

/* NULL if the address can be used, otherwise a sentence that says why not. */
char *
tl_replication_address_check(const char *address)
{
	char	   *message = NULL;
	char	   *result;
	PQconninfoOption *options;

	if (strlen(address) > TL_PEER_ADDRESS_SIZE_MAX)
		return psprintf("It has more than %d bytes.", TL_PEER_ADDRESS_SIZE_MAX);
	options = PQconninfoParse(address, &message);
	if (options == NULL)
	{
		char		text[TL_CONNECTION_ERROR_SIZE];

		tl_replication_connection_text(text, sizeof(text), message ? message : "out of memory");
		PQfreemem(message);
		return psprintf("It is no connection string: %s.", text);
	}
	result = check_options(options);
	PQconninfoFree(options);
	return result;
}

static char *
check_options(const PQconninfoOption *options)
{
	bool		has_host = false;
	bool		has_database = false;

	for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		char	   *result;
		bool		is_host = strncmp(option->keyword, "host", 4) == 0;

		if (option->val == NULL)
			continue;
		result = check_value(option->keyword, option->val);
		if (result == NULL && is_host && option->val[0] != '\0')
			result = check_hosts(option->val);
		if (result != NULL)
			return result;
		has_host |= is_host && option->val[0] != '\0';
		has_database |= strcmp(option->keyword, "dbname") == 0 && option->val[0] != '\0';
	}
	return has_host && has_database ? NULL : pstrdup("It must name host and dbname.");
}

/*
 * Values become part of connection strings and of lines for pg_hba.conf, so
 * nothing that means anything there may stand in one.
 */
static char *
check_value(const char *keyword, const char *value)
{
	bool		found = false;

	for (int i = 0; i < lengthof(allowed); i++)
		found |= strcmp(keyword, allowed[i]) == 0;
	if (strcmp(keyword, "password") == 0)
		return pstrdup("It holds a password, which would be on the ledger for ever.");
	if (!found)
		return psprintf("It holds \"%s\"; only host, hostaddr, port, dbname and sslmode may stand in it.",
						keyword);
	for (; *value != '\0'; value++)
		if (!((*value >= 'a' && *value <= 'z') || (*value >= 'A' && *value <= 'Z') ||
			  (*value >= '0' && *value <= '9') || strchr("._-", *value) != NULL ||
			  (strncmp(keyword, "host", 4) == 0 && strchr(":/,@", *value) != NULL) ||
			  (strcmp(keyword, "port") == 0 && *value == ',')))
			return psprintf("Its %s holds a character that may not stand there.", keyword);
	return NULL;
}

/* One, or several with commas between them. */
static char *
check_hosts(const char *hosts)
{
	char	   *rest = pstrdup(hosts);

	while (rest != NULL)
	{
		char	   *host = rest;
		char	   *result;

		rest = strchr(host, ',');
		if (rest != NULL)
			*rest++ = '\0';
		result = check_host(host);
		if (result != NULL)
			return result;
	}
	return NULL;
}

/* A socket's path, or a name or number that names one host in pg_hba.conf. */
static char *
check_host(const char *host)
{
	bool		is_socket = host[0] == '/' || host[0] == '@';

	if (host[0] == '\0' || host[0] == '.' || (!is_socket && strpbrk(host, "/@") != NULL) ||
		pg_strcasecmp(host, "all") == 0 || pg_strcasecmp(host, "samehost") == 0 ||
		pg_strcasecmp(host, "samenet") == 0)
		return psprintf("\"%s\" is no host.", host);
	return NULL;
}

/* The hosts of an address that can be used, with commas between them: those
 * that libpq would connect to. */
char *
tl_replication_address_hosts(const char *address)
{
	PQconninfoOption *options = PQconninfoParse(address, NULL);
	char	   *hosts = NULL;
	bool		by_number = false;

	for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
	{
		bool		is_number = strcmp(option->keyword, "hostaddr") == 0;

		if (option->val == NULL || option->val[0] == '\0' || by_number ||
			(!is_number && strcmp(option->keyword, "host") != 0))
			continue;
		hosts = pstrdup(option->val);
		by_number = is_number;
	}
	PQconninfoFree(options);
	return hosts;
}

/* The connection string of this member at that address. */
char *
tl_replication_address_conninfo(const char *address, const char *role)
{
	PQconninfoOption *options = PQconninfoParse(address, NULL);
	StringInfoData out;

	if (options == NULL)
		return NULL;
	initStringInfo(&out);
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
		if (option->val != NULL)
			tl_replication_setting_append(&out, option->keyword, option->val);
	PQconninfoFree(options);
	tl_replication_setting_append(&out, "user", role);
	tl_replication_setting_append(&out, "application_name", role);
	tl_replication_setting_append(&out, "connect_timeout", "10");
	return out.data;
}
