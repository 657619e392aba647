"""A small shop, to be put under load."""

from flask import Flask, abort, jsonify, request
from shop import orders, price

app = Flask(__name__)


@app.get("/orders")
def list_orders():
    n = int(request.args.get("n", 10))
    made = orders.make(n)
    return jsonify(total=price.total(made), orders=[one.as_dict() for one in made])


@app.get("/price/<int:item>")
def show_price(item):
    tier = request.args.get("tier", "basic")
    return jsonify(item=item, price=price.quote(item * 1.5, tier))


@app.get("/missing")
def missing():
    try:
        orders.find([], 7)
    except orders.NotFound as error:
        return jsonify(error=str(error)), 404
    return abort(500)
