/* Counts the values that parameters and results take. A value that is met for the first time is described by Python
   (hook_value: redacted, bounded, none of the program's code run); from then on it is an addition to a number.

   Told apart are plain values: None, bools, ints, floats, short strings and bytes, members of enums. Of all else the
   type is counted, and of built-in containers and long strings the length. No value of the program is held on to, only
   classes; nothing but the exact built-in types is looked into. */
#include "core.h"

#define MAX_DISTINCT 64      /* entries of one slot, tracelens_recorder.observed.MAX_DISTINCT */
#define MAX_TEXT 200         /* characters or bytes of a string that is told apart by its content */
#define MAX_ENTRIES 60000   /* of all slots */
#define MAX_TYPES 8192

typedef struct {
    PyTypeObject *type; /* strong */
    PyObject *name;
    char member; /* a class of enum members */
} Type;

static Type *types; /* open addressing */
static uint32_t types_size, types_count;
static int entries;
static int next_id;

static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    return x;
}

static Type *find_type(PyTypeObject *type)
{
    if (!types_size)
        return NULL;
    for (uint32_t i = (uint32_t)mix((uintptr_t)type);; i++) {
        Type *one = &types[i & (types_size - 1)];
        if (one->type == type)
            return one;
        if (!one->type)
            return NULL;
    }
}

static int grow_types(void)
{
    uint32_t size = types_size ? types_size * 2 : 256;
    Type *grown = calloc(size, sizeof(Type));
    if (!grown)
        return -1;
    for (uint32_t i = 0; i < types_size; i++)
        if (types[i].type) {
            uint32_t at = (uint32_t)mix((uintptr_t)types[i].type);
            while (grown[at & (size - 1)].type)
                at++;
            grown[at & (size - 1)] = types[i];
        }
    free(types);
    types = grown;
    types_size = size;
    return 0;
}

/* NULL with an error set, or without one where too many are known. The answer is valid until the next call. */
static Type *type_of(PyTypeObject *type)
{
    Type *known = find_type(type);
    if (known || types_count >= MAX_TYPES)
        return known;
    PyObject *said = PyObject_CallOneArg(hook_type, (PyObject *)type); /* (name, whether members of an enum) */
    if (!said)
        return NULL;
    known = find_type(type); /* another thread was here meanwhile */
    if (!known && PyTuple_CheckExact(said) && PyTuple_GET_SIZE(said) == 2 &&
        (types_count * 2 < types_size || grow_types() == 0)) {
        uint32_t at = (uint32_t)mix((uintptr_t)type);
        while (types[at & (types_size - 1)].type)
            at++;
        known = &types[at & (types_size - 1)];
        known->type = (PyTypeObject *)Py_NewRef((PyObject *)type);
        known->name = Py_NewRef(PyTuple_GET_ITEM(said, 0));
        known->member = PyTuple_GET_ITEM(said, 1) == Py_True;
        types_count++;
    }
    Py_DECREF(said);
    return known;
}

PyObject *type_name_of(PyTypeObject *type)
{
    Type *known = type_of(type);
    return known ? known->name : NULL;
}

static inline Key sized(PyObject *value, Py_ssize_t length)
{
    Key key = {K_SIZED, (uint32_t)(length > UINT32_MAX ? UINT32_MAX : length), (uintptr_t)Py_TYPE(value)};
    return key;
}

/* -1 with an error set. */
static inline int key_of(PyObject *value, int secret, Key *key)
{
    PyTypeObject *type = Py_TYPE(value);
    key->length = 0;
    key->bits = 0;
    if (value == Py_None)
        key->kind = K_NONE;
    else if (value == Py_True)
        key->kind = K_TRUE;
    else if (value == Py_False)
        key->kind = K_FALSE;
    else if (secret) {
        key->kind = K_TYPE;
        key->bits = (uintptr_t)type;
    }
    else if (type == &PyLong_Type) {
        int overflow = 0;
        key->kind = K_INT;
        if (PyUnstable_Long_IsCompact((PyLongObject *)value))
            key->bits = (uint64_t)PyUnstable_Long_CompactValue((PyLongObject *)value);
        else
            key->bits = (uint64_t)PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow) {
            size_t bits = _PyLong_NumBits(value);
            key->kind = K_BIG;
            key->bits = 0;
            key->length = bits > UINT32_MAX ? UINT32_MAX : (uint32_t)bits;
        }
    }
    else if (type == &PyUnicode_Type) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(value);
        if (length > MAX_TEXT)
            *key = sized(value, length);
        else {
            key->kind = K_STR;
            key->length = (uint32_t)length;
            key->bits = (uint64_t)PyObject_Hash(value);
        }
    }
    else if (type == &PyFloat_Type) {
        double number = PyFloat_AS_DOUBLE(value);
        key->kind = K_FLOAT;
        if (number != number)
            key->bits = 0x7ff8000000000000ULL;
        else
            memcpy(&key->bits, &number, sizeof number);
    }
    else if (type == &PyTuple_Type)
        *key = sized(value, PyTuple_GET_SIZE(value));
    else if (type == &PyList_Type)
        *key = sized(value, PyList_GET_SIZE(value));
    else if (type == &PyDict_Type)
        *key = sized(value, PyDict_GET_SIZE(value));
    else if (type == &PyBytes_Type) {
        Py_ssize_t length = PyBytes_GET_SIZE(value);
        if (length > MAX_TEXT)
            *key = sized(value, length);
        else {
            key->kind = K_BYTES;
            key->length = (uint32_t)length;
            key->bits = (uint64_t)PyObject_Hash(value);
        }
    }
    else if (type == &PySet_Type || type == &PyFrozenSet_Type)
        *key = sized(value, PySet_GET_SIZE(value));
    else if (type == &PyByteArray_Type)
        *key = sized(value, PyByteArray_GET_SIZE(value));
    else {
        Type *known = type_of(type);
        if (!known && PyErr_Occurred())
            return -1;
        key->kind = known && known->member ? K_MEMBER : K_TYPE;
        /* members live as long as their class, which we hold on to */
        key->bits = known ? (known->member ? (uintptr_t)value : (uintptr_t)type) : 0;
    }
    return 0;
}

static inline int same(const Key *a, const Key *b)
{
    return a->bits == b->bits && a->kind == b->kind && a->length == b->length;
}

static inline uint32_t place_of(const Key *key)
{
    return (uint32_t)mix(key->bits * 31 + key->length + ((uint64_t)key->kind << 56));
}

static Entry *find(Slot *slot, const Key *key)
{
    if (!slot->size)
        return NULL;
    for (Entry *one = slot->buckets[place_of(key) & (slot->size - 1)]; one; one = one->next)
        if (same(&one->key, key))
            return one;
    return NULL;
}

static Entry *add(Slot *slot, const Key *key)
{
    if (slot->count >= slot->size) {
        uint32_t size = slot->size ? slot->size * 4 : 4;
        Entry **grown = calloc(size, sizeof(Entry *));
        if (!grown)
            return NULL;
        for (uint32_t i = 0; i < slot->size; i++)
            for (Entry *one = slot->buckets[i], *next; one; one = next) {
                next = one->next;
                Entry **bucket = &grown[place_of(&one->key) & (size - 1)];
                one->next = *bucket;
                *bucket = one;
            }
        free(slot->buckets);
        slot->buckets = grown;
        slot->size = size;
    }
    Entry *entry = calloc(1, sizeof(Entry));
    if (!entry)
        return NULL;
    entry->key = *key;
    entry->id = next_id++;
    Entry **bucket = &slot->buckets[place_of(key) & (slot->size - 1)];
    entry->next = *bucket;
    *bucket = entry;
    slot->count++;
    slot->distinct += key->kind != K_OTHERS;
    entries++;
    return entry;
}

static void widen(Entry *entry, const Key *key)
{
    double measure;
    if (key->kind == K_INT)
        measure = (double)(int64_t)key->bits;
    else if (key->kind == K_FLOAT) {
        memcpy(&measure, &key->bits, sizeof measure);
        if (!isfinite(measure))
            return;
    }
    else if (key->kind == K_STR || key->kind == K_BYTES || key->kind == K_SIZED)
        measure = key->length;
    else
        return;
    if (!entry->ranged || measure < entry->low)
        entry->low = measure;
    if (!entry->ranged || measure > entry->high)
        entry->high = measure;
    entry->ranged = 1;
}

Entry *value_of(Func *f, int at, PyObject *value)
{
    Slot *slot = &f->slots[at];
    Key key, met;
    if (key_of(value, slot->secret, &key) < 0)
        return NULL;
    Entry *entry = slot->last;
    if (entry && same(&entry->key, &key))
        return entry;
    entry = find(slot, &key);
    if (entry)
        return slot->last = entry;
    met = key;
    /* whether a value is None is told of every call */
    if (key.kind > K_FALSE && (slot->distinct >= MAX_DISTINCT || entries >= MAX_ENTRIES)) {
        key.kind = K_OTHERS;
        key.length = 0;
        if (met.kind != K_TYPE)
            key.bits = (uintptr_t)Py_TYPE(value);
        if (slot->distinct >= MAX_DISTINCT && met.kind == K_TYPE)
            key.bits = 0; /* too many types */
        entry = find(slot, &key);
        if (entry) {
            widen(entry, &met);
            return entry;
        }
        if (entries >= MAX_ENTRIES * 2)
            return NULL;
    }
    entry = add(slot, &key);
    if (!entry)
        return NULL;
    if (key.kind == K_OTHERS)
        widen(entry, &met);
    int unknown = !key.bits && (key.kind == K_TYPE || key.kind == K_OTHERS);
    PyObject *done = PyObject_CallFunction(hook_value, "iiiOi", entry->id, f->index, at == f->parameters ? -1 : at, value,
                                           unknown ? K_ANY : key.kind);
    if (!done)
        return NULL;
    Py_DECREF(done);
    return entry;
}

void add_raised(Entry *entry, PyObject *type)
{
    for (Raised *one = entry->raised; one; one = one->next)
        if (one->type == type) {
            one->n++;
            return;
        }
    Raised *new = malloc(sizeof(Raised));
    if (!new)
        return;
    new->type = Py_NewRef(type);
    new->n = 1;
    new->next = entry->raised;
    entry->raised = new;
}

static int row(PyObject *rows, Entry *entry, PyObject *type, long long n)
{
    PyObject *one;
    if (entry->ranged)
        one = Py_BuildValue("(iOLdd)", entry->id, type, n, entry->low, entry->high);
    else
        one = Py_BuildValue("(iOLOO)", entry->id, type, n, Py_None, Py_None);
    if (!one)
        return -1;
    int failed = PyList_Append(rows, one);
    Py_DECREF(one);
    return failed;
}

PyObject *collect_values(void)
{
    PyObject *rows = PyList_New(0), *returned = PyUnicode_FromString("");
    if (!rows || !returned)
        goto failed;
    for (int i = 0; i < nfuncs; i++)
        for (int at = 0; at <= funcs[i]->parameters; at++) {
            Slot *slot = &funcs[i]->slots[at];
            for (uint32_t b = 0; b < slot->size; b++)
                for (Entry *one = slot->buckets[b]; one; one = one->next) {
                    if (one->n && row(rows, one, returned, one->n) < 0)
                        goto failed;
                    one->n = 0;
                    for (Raised *r = one->raised; r; r = r->next) {
                        if (r->n && row(rows, one, r->type, r->n) < 0)
                            goto failed;
                        r->n = 0;
                    }
                }
        }
    Py_DECREF(returned);
    return rows;
failed:
    Py_XDECREF(rows);
    Py_XDECREF(returned);
    return NULL;
}

/* In a child after a fork: what was met so far is described in the parent's recording. */
void forget_values(void)
{
    for (int i = 0; i < nfuncs; i++)
        for (int at = 0; at <= funcs[i]->parameters; at++) {
            Slot *slot = &funcs[i]->slots[at];
            for (uint32_t b = 0; b < slot->size; b++)
                for (Entry *one = slot->buckets[b], *next; one; one = next) {
                    next = one->next;
                    for (Raised *r = one->raised, *after; r; r = after) {
                        after = r->next;
                        Py_DECREF(r->type);
                        free(r);
                    }
                    free(one);
                }
            free(slot->buckets);
            slot->buckets = NULL;
            slot->last = NULL;
            slot->size = slot->count = slot->distinct = 0;
        }
    entries = 0;
    next_id = 0;
}
