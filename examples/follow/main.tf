module "web" {
  source = "./modules/service"
  image  = "quay.io/team1/web:1.3.0" # {"$imagestream": "web:stable"}
}
