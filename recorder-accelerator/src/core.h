/* What the files of the accelerator share: the records it keeps, and how frames of CPython 3.12 and 3.13 are read.

   Everything here (but what look.c reads) is touched with the GIL held and nowhere else, and no record is freed while a call may refer to it,
   so that a hook into Python, during which other threads run, may stand anywhere. */
#ifndef TRACELENS_CORE_H
#define TRACELENS_CORE_H

#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1 /* the layout of frames, which is fixed within a minor version */
#include <Python.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>

#if PY_VERSION_HEX < 0x030C0000 || PY_VERSION_HEX >= 0x030E0000
#error "the accelerator knows the frames of Python 3.12 and 3.13"
#endif
#ifdef Py_GIL_DISABLED
#error "the accelerator relies on the GIL"
#endif

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_MSC_VER)
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL __thread
#endif

typedef _PyInterpreterFrame Frame;

#if PY_VERSION_HEX >= 0x030D0000
#define CURRENT_FRAME(tstate) ((tstate)->current_frame)
#define CODE_OF(frame) ((PyObject *)(frame)->f_executable)
#else
#define CURRENT_FRAME(tstate) ((tstate)->cframe->current_frame)
#define CODE_OF(frame) ((PyObject *)(frame)->f_code)
#endif
#define OFFSET_OF(frame) (_PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT))

enum { FUNCTION = 0, MODULE = 1, INLINE_CODE = 2 }; /* the numbers of tracelens_recorder.code */
#define NEVER (1LL << 62)
#define MAX_PARAMETERS 24 /* of one function, whose values are counted */
#define MAX_HOPS 64       /* frames out of scope that are climbed over to find the caller */
#define MAX_LIVE 50000    /* calls in progress; generators that were dropped without an event are among them */

/* Values */

typedef struct Raised {
    PyObject *type; /* its name, str */
    long long n;
    struct Raised *next;
} Raised;

enum { K_NONE, K_TRUE, K_FALSE, K_INT, K_BIG, K_FLOAT, K_STR, K_BYTES, K_MEMBER, K_SIZED, K_TYPE, K_OTHERS, K_ANY };
/* the numbers of tracelens_recorder.observed */

typedef struct {
    int kind;
    uint32_t length;
    uint64_t bits;
} Key;

typedef struct Entry {
    Key key;
    int id;      /* in the recording */
    long long n; /* calls that returned, since they were written last */
    Raised *raised;
    double low, high; /* of K_OTHERS */
    int ranged;
    struct Entry *next;
} Entry;

typedef struct {
    Entry **buckets;
    uint32_t size, count; /* of the buckets; of the entries */
    uint32_t distinct;    /* entries that are no K_OTHERS */
    Entry *last;
    char secret; /* goes under a secret's name */
    char cell;   /* the argument is in a cell */
} Slot;

/* Calls */

typedef struct Func Func;

/* Exceptions of one type that left a function at one place, of which enough was kept: they are only counted. */
typedef struct Quiet {
    PyTypeObject *type; /* strong */
    int place;          /* tb_lasti of the frame; -1 a deeper frame in scope has had it */
    long long left;     /* so many more */
    long long n;        /* since they were told last */
    int failure;
    PyObject *group; /* of Python; NULL none */
    struct Quiet *next;
} Quiet;

typedef struct Edge {
    Func *caller, *callee;
    int offset;
    long long calls, total;
} Edge;

struct Func {
    PyObject *code; /* strong: its address stays its own */
    int index, kind;
    int parameters; /* whose values are counted */
    long long calls, resumes, errors, ended, total, own, low, high;
    long long written_calls, written_resumes, written_errors, written_ended, written_total, written_own;
    uint32_t *durations; /* since they were written last, from bucket `first` on */
    int first, width;
    int test; /* that the calls since `settled` belong to */
    long long settled;
    long long next; /* number of the call that is handed to Python to be captured */
    long long stop; /* number of the call from which on Python is asked whether to park */
    long long live; /* calls in progress, nearly */
    char due;       /* to be parked when a call of it has ended */
    char draining;  /* ends are listened to whose starts were not */
    Quiet *quiet;
    Edge *edge;     /* the last one it was called over */
    Slot *slots;    /* of the first MAX_PARAMETERS parameters, and behind them of what is returned */
};

typedef struct Thread {
    int64_t overhead; /* ns spent on capturing values */
    int *active;      /* running calls, by index of the function */
    int functions;
    volatile int dead;
    struct Thread *next;
} Thread;

typedef struct Call {
    Frame *frame;
    Func *func;
    Func *caller; /* NULL none */
    int offset;
    Edge *edge;
    uint64_t serial, parent_serial;
    Frame *parent; /* where its call is in progress under `parent_serial`; NULL none */
    int64_t start, overhead, child, duration, own;
    Thread *thread;
    PyObject *handle; /* of Python, for a call that is captured; NULL none */
    int running, values;
    Entry *value[MAX_PARAMETERS];
    struct Call *free;
} Call;

/* core state, in module.c */
extern PyObject *hook_begin, *hook_end, *hook_raised, *hook_value, *hook_test, *hook_type, *hook_consider, *hook_ended;
extern int count_values;
extern long long patience; /* calls after which Python is asked whether too much is spent */
extern long long entered;  /* calls since it was asked last */
extern int test_now, test_changed;
extern Func **funcs;
extern int nfuncs;

int64_t now_ns(void);
Func *func_of(PyObject *code);

/* calls.c */
int enter(Func *f, Frame *frame);
int is_running(Func *f, Frame *frame);
PyObject *on_start(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *on_return(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *on_yield(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *on_resume(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *on_throw(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *on_unwind(PyObject *, PyObject *const *, Py_ssize_t);
PyObject *open_calls(int of); /* of the function of an index, or of all: -1 */
PyObject *collect_quiet(void);
void forget_quiet(Func *f);
void drop_calls(int of);
void forget_calls(void);
PyObject *collect_edges(void);
PyObject *collect_counts(void);
PyObject *collect_tests(int settle_all);

/* values.c */
Entry *value_of(Func *f, int slot, PyObject *value); /* NULL with an error of the program's, or without one when full */
void add_raised(Entry *entry, PyObject *type);
PyObject *type_name_of(PyTypeObject *type); /* borrowed; NULL with an error set */
PyObject *collect_values(void);
void forget_values(void);

/* fields.c */
PyObject *fields(PyObject *, PyObject *object);

/* look.c */
int look_for(Func *f); /* -1 no memory */
void look_for_none(void);
void forget_looking(void);
PyObject *can_look(PyObject *, PyObject *);
PyObject *leave_out(PyObject *, PyObject *code);
PyObject *begin_looking(PyObject *, PyObject *);
PyObject *looks(PyObject *, PyObject *args);
PyObject *end_looking(PyObject *, PyObject *);

#endif
